/** Metrics for Prometheus, gathered from the daemon when they are asked for. */
import { createServer } from 'node:http';
import { Counter, Gauge, Registry } from 'prom-client';
import type { DaemonControl, RecordReport, ServiceReport, StatusReport } from '../daemon/contract';
import { EnvironmentError } from '../errors';
import { reasonOf } from '../reason';

export type Source = Pick<DaemonControl, 'status' | 'counters'>;

const STATES = ['normal', 'recovery', 'proxy'] as const;

export interface Metrics {
  readonly contentType: string;
  /** Asks the daemon once. */
  read(): Promise<string>;
}

export function metricsOf(source: Source): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const info = new Gauge({
    name: 'migware_info',
    help: 'Version of the daemon; always 1.',
    labelNames: ['version'],
    registers,
  });
  const refused = new Counter({
    name: 'migware_refused_frames_total',
    help: 'Frames that were not passed on, by reason.',
    labelNames: ['reason'],
    registers,
  });
  const events = new Counter({
    name: 'migware_core_events_total',
    help: 'What the packet core did, by event.',
    labelNames: ['event'],
    registers,
  });
  const setService = makeServiceMetrics(registers);
  const setPorts = makePortMetrics(registers);
  const setRecord = makeRecordMetrics(registers);
  return {
    contentType: registry.contentType,
    read() {
      const status = source.status();
      info.set({ version: status.version }, 1);
      status.services.forEach(setService);
      setPorts(status);
      setRecord(status.record);
      for (const { kind, name, value } of source.counters()) {
        if (kind === 'refused') setCounter(refused, { reason: name }, Number(value));
        else setCounter(events, { event: name }, Number(value));
      }
      return registry.metrics();
    },
  };
}

/** The daemon counts by itself; here its count is only repeated. */
function setCounter<L extends string>(counter: Counter<L>, labels: Record<L, string>, value: number): void {
  counter.remove(labels);
  counter.inc(labels, value);
}

function makeServiceMetrics(registers: Registry[]): (report: ServiceReport) => void {
  const labelNames = ['service'] as const;
  const gauge = (name: string, help: string) => new Gauge({ name, help, labelNames, registers });
  const counter = (name: string, help: string) => new Counter({ name, help, labelNames, registers });

  const connections = new Gauge({
    name: 'migware_connections',
    help: 'Connections now: tracked (all of them), recoverable, at_risk, half_open.',
    labelNames: ['service', 'kind'],
    registers,
  });
  const state = new Gauge({
    name: 'migware_service_state',
    help: 'State of the service: 1 for the one it is in.',
    labelNames: ['service', 'state'],
    registers,
  });
  const alive = gauge('migware_primary_alive', 'Whether the primary is alive.');
  const misses = new Gauge({
    name: 'migware_probe_misses',
    help: 'Unbroken misses of a probe.',
    labelNames: ['service', 'kind', 'target'],
    registers,
  });
  const rtt = new Gauge({
    name: 'migware_probe_rtt_seconds',
    help: 'Round trip of the last answer to a probe.',
    labelNames: ['service', 'kind', 'target'],
    registers,
  });
  const recovered = counter('migware_connections_recovered_total', 'Connections continued on the replica.');
  const proxied = counter('migware_connections_proxied_total', 'New connections accepted for the replica.');
  const lost = counter('migware_connections_lost_total', 'Connections given up.');
  const divergences = counter(
    'migware_divergences_total',
    'Connections whose replica said something else than the primary.',
  );
  const failovers = counter('migware_failovers_total', 'Fail-overs since the daemon started.');
  const detection = gauge('migware_failover_detection_seconds', 'First missed probe to verdict, last fail-over.');
  const recovery = gauge('migware_failover_recovery_seconds', 'Verdict to address taken, last fail-over.');

  return ({ name, state: current, primary, connections: now, failovers: past, divergences: diverged }) => {
    const labels = { service: name };
    connections.set({ service: name, kind: 'tracked' }, now.tracked);
    connections.set({ service: name, kind: 'recoverable' }, now.recoverable);
    connections.set({ service: name, kind: 'at_risk' }, now.atRisk);
    connections.set({ service: name, kind: 'half_open' }, now.halfOpen);
    for (const each of STATES) state.set({ service: name, state: each }, each === current ? 1 : 0);
    alive.set(labels, primary.alive ? 1 : 0);
    for (const { kind, target, misses: missed, rttMs } of primary.probes) {
      misses.set({ service: name, kind, target }, missed);
      if (rttMs !== undefined) rtt.set({ service: name, kind, target }, rttMs / 1000);
    }
    setCounter(recovered, labels, now.recovered);
    setCounter(proxied, labels, now.proxied);
    setCounter(lost, labels, now.lost);
    setCounter(divergences, labels, diverged);
    setCounter(failovers, labels, past.length);
    const last = past.at(-1);
    if (last === undefined) return;
    detection.set(labels, last.detectionMs / 1000);
    recovery.set(labels, last.recoveryMs / 1000);
  };
}

function makePortMetrics(registers: Registry[]): (status: StatusReport) => void {
  const counter = (name: string, help: string) => new Counter({ name, help, labelNames: ['port'], registers });
  const up = new Gauge({ name: 'migware_port_up', help: 'Whether a port works.', labelNames: ['port'], registers });
  const received = counter('migware_capture_received_total', 'Frames the kernel showed.');
  const dropped = counter('migware_capture_dropped_total', 'Frames dropped because the ring was full.');
  const sent = counter('migware_sent_frames_total', 'Frames sent.');
  const failed = counter('migware_send_failed_total', 'Frames the kernel did not take.');
  const records = new Gauge({ name: 'migware_connection_records', help: 'Connection records in use.', registers });
  const capacity = new Gauge({ name: 'migware_connection_records_max', help: 'Connection records.', registers });
  const retained = new Gauge({ name: 'migware_retained_bytes', help: 'Bytes kept for recovery.', registers });

  return ({ ports, memory }) => {
    for (const port of ports) {
      const labels = { port: port.name };
      up.set(labels, port.up ? 1 : 0);
      setCounter(received, labels, port.received);
      setCounter(dropped, labels, port.dropped);
      setCounter(sent, labels, port.sent);
      setCounter(failed, labels, port.sendFailed);
    }
    records.set(memory.connectionsUsed);
    capacity.set(memory.connections);
    retained.set(memory.retainedBytes);
  };
}

function makeRecordMetrics(registers: Registry[]): (record: RecordReport) => void {
  const labelNames = ['place'] as const;
  const used = new Gauge({
    name: 'migware_recorded_bytes',
    help: "Bytes of clients' streams kept for a replica that reads them from the first one: in memory, on disk.",
    labelNames,
    registers,
  });
  const limit = new Gauge({ name: 'migware_recorded_bytes_max', help: 'Room for these.', labelNames, registers });
  const dropped = new Counter({ name: 'migware_records_dropped_total', help: 'Recorded streams given up.', registers });

  return ({ memoryBytes, memoryLimit, diskBytes, diskLimit, dropped: lost }) => {
    used.set({ place: 'memory' }, memoryBytes);
    used.set({ place: 'disk' }, diskBytes);
    limit.set({ place: 'memory' }, memoryLimit);
    limit.set({ place: 'disk' }, diskLimit);
    setCounter(dropped, {}, lost);
  };
}

export interface MetricsServer {
  /** Of the port really used, when 0 was asked for. */
  readonly port: number;
  close(): Promise<void>;
}

/** @param address `host:port` */
export async function serveMetrics(address: string, source: Source): Promise<MetricsServer> {
  const { hostname, port } = new URL(`http://${address}`);
  const metrics = metricsOf(source);
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    if (pathname !== '/metrics') {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('see /metrics\n');
      return;
    }
    metrics.read().then(
      (text) => response.writeHead(200, { 'content-type': metrics.contentType }).end(text),
      (error: unknown) => response.writeHead(500, { 'content-type': 'text/plain' }).end(`${reasonOf(error)}\n`),
    );
  });
  try {
    await new Promise<void>((listening, failed) => {
      server.once('error', failed);
      // URL leaves out the port that is http's default.
      server.listen(Number(port || 80), hostname.replace(/^\[|\]$/g, ''), listening);
    });
  } catch (error) {
    throw new EnvironmentError(`metrics ${address} cannot be served: ${reasonOf(error)}`, { cause: error });
  }
  const bound = server.address();
  return {
    port: typeof bound === 'object' ? (bound?.port ?? 0) : 0,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}
