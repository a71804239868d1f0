/** The core's records in the words of the contract. */
import { formatEndpoint } from '../core/address';
import { Loss, Phase, Risk, lossName, phaseName, riskName, tcpStateName } from '../core/names';
import type { ConnectionRecord, FlowRecord, ServiceRecord } from '../core/records';
import type { Survey } from '../core/core';
import { fromCoreMs } from './clock';
import type { ConnectionReport, FlowReport, PrimaryReport, ServiceReport } from './contract';
import type { Failover } from './failover';
import { STATE_NAMES } from './failover-stages';

export function reportService(
  failover: Failover,
  record: ServiceRecord,
  survey: Survey,
  primary: PrimaryReport,
  nowMs: number,
): ServiceReport {
  const { name, address, ports, replica, recovery } = failover.service;
  const heardMs = record.heardMs === undefined ? undefined : fromCoreMs(record.heardMs, nowMs);
  return {
    name,
    state: STATE_NAMES[failover.stage],
    address,
    ports,
    replica,
    recovery,
    primary: { ...primary, heardAgoMs: heardMs === undefined ? undefined : Math.round(nowMs - heardMs) },
    connections: {
      tracked: record.tracked,
      recoverable: survey.recoverable,
      atRisk: survey.atRisk,
      recovered: record.recovered,
      proxied: record.proxied,
      lost: record.lost,
      halfOpen: record.halfOpen,
    },
    handshakeWindow: record.handshakeWindow,
    refused: failover.refused,
    divergences: record.divergences,
    failovers: failover.reports(),
  };
}

/**
 * @param owner of its service; absent when the core tracks everything
 * @param spilledBytes of the client's stream, which the core has handed out
 */
export function reportConnection(
  record: ConnectionRecord,
  owner: Pick<Failover, 'service' | 'isTaken'> | undefined,
  spilledBytes: number,
  nowMs: number,
): ConnectionReport {
  const { risk, loss, holeSeq, holeBytes } = record;
  const recoverable = loss !== Loss.None ? 'lost' : risk !== Risk.None ? 'at-risk' : 'recoverable';
  const reasons = { lost: lossName(loss), 'at-risk': riskName(risk), recoverable: undefined };
  return {
    service: owner?.service.name,
    client: formatEndpoint(record.client, record.clientPort),
    server: formatEndpoint(record.server, record.serverPort),
    vlan: record.vlan === 0 ? undefined : record.vlan,
    state: tcpStateName(record.state),
    phase: phaseName(record.phase),
    recoverable,
    reason: reasons[recoverable],
    hole: holeBytes === 0 ? undefined : { seq: holeSeq, bytes: holeBytes },
    options: record.options,
    recovered: record.recovered,
    proxied: record.proxied,
    recordedBytes: record.recordedBytes + spilledBytes,
    shadow: owner?.service.recovery === 'shadow' && !owner.isTaken ? shadowOf(record.phase) : null,
    divergence: record.divergence ?? null,
    idleMs: Math.round(nowMs - fromCoreMs(record.seenMs, nowMs)),
    inbound: reportFlow(record.inbound),
    outbound: reportFlow(record.outbound),
  };
}

function shadowOf(phase: Phase): ConnectionReport['shadow'] {
  switch (phase) {
    case Phase.Queued:
    case Phase.SynSent:
    case Phase.Confirming:
      return 'opening';
    case Phase.Withheld:
      return 'reading';
    default:
      return null;
  }
}

function reportFlow({ isn, end, acked, mss, windowShift, retainedBytes }: FlowRecord): FlowReport {
  return { isn, end, acked, mss, windowShift, retainedBytes };
}
