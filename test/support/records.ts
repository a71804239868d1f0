/** Connection records as a host reads them, field by field: by the layout alone, not by the host's own reader. */
import type { Loss, Phase, RecordState, Risk, TcpState } from '../../assembly/abi/codes';
import {
  CONNECTION_CLIENT_PORT,
  CONNECTION_DIVERGED_FIRST,
  CONNECTION_DIVERGED_LAST,
  CONNECTION_FLAGS,
  CONNECTION_FLOWS,
  CONNECTION_GENERATION,
  CONNECTION_HOLE_BYTES,
  CONNECTION_HOLE_SEQ,
  CONNECTION_LOSS,
  CONNECTION_PHASE,
  CONNECTION_RECORD,
  CONNECTION_RISK,
  CONNECTION_SEEN_MS,
  CONNECTION_STACK_PORT,
  CONNECTION_STATE,
  CONNECTION_VLAN,
  FLOW_ACKED,
  FLOW_BYTES,
  FLOW_EDGE,
  FLOW_END,
  FLOW_FIN_SEQ,
  FLOW_FLAGS,
  FLOW_ISN,
  FLOW_MAX_WINDOW,
  FLOW_MSS,
  FLOW_PASSED,
  FLOW_RETAINED_BYTES,
  FLOW_TSVAL,
  FLOW_WINDOW_SHIFT,
} from '../../assembly/abi/layout';
import { asCode } from '../../src/core/names';

/** The u32 fields of one direction. */
export interface FlowRecord {
  readonly isn: number;
  readonly end: number;
  readonly acked: number;
  readonly edge: number;
  readonly maxWindow: number;
  readonly finSeq: number;
  readonly tsval: number;
  readonly mss: number;
  readonly windowShift: number;
  readonly flags: number;
  readonly retained: number;
  /** Numbers acknowledged in all. */
  readonly passed: number;
}

export interface ConnectionRecord {
  readonly index: number;
  readonly clientPort: number;
  readonly vlan: number;
  readonly state: TcpState;
  readonly phase: Phase;
  readonly risk: Risk;
  readonly loss: Loss;
  readonly flags: number;
  readonly generation: number;
  readonly stackPort: number;
  readonly seenMs: number;
  readonly holeSeq: number;
  readonly holeBytes: number;
  readonly record: RecordState;
  /** Offsets in the server's stream: the first byte that differed, and one past the last. */
  readonly diverged: readonly [first: number, end: number];
  readonly inbound: FlowRecord;
  readonly outbound: FlowRecord;
}

/** @param at where the record lies */
export function readRecord(view: DataView, at: number, index: number): ConnectionRecord {
  const flow = (dir: number): FlowRecord => {
    const f = at + CONNECTION_FLOWS + dir * FLOW_BYTES;
    return {
      isn: view.getUint32(f + FLOW_ISN, true),
      end: view.getUint32(f + FLOW_END, true),
      acked: view.getUint32(f + FLOW_ACKED, true),
      edge: view.getUint32(f + FLOW_EDGE, true),
      maxWindow: view.getUint32(f + FLOW_MAX_WINDOW, true),
      finSeq: view.getUint32(f + FLOW_FIN_SEQ, true),
      tsval: view.getUint32(f + FLOW_TSVAL, true),
      mss: view.getUint16(f + FLOW_MSS, true),
      windowShift: view.getUint8(f + FLOW_WINDOW_SHIFT),
      flags: view.getUint8(f + FLOW_FLAGS),
      retained: view.getUint32(f + FLOW_RETAINED_BYTES, true),
      passed: Number(view.getBigUint64(f + FLOW_PASSED, true)),
    };
  };
  return {
    index,
    clientPort: view.getUint16(at + CONNECTION_CLIENT_PORT, true),
    vlan: view.getUint32(at + CONNECTION_VLAN, true),
    state: asCode(view.getUint8(at + CONNECTION_STATE)),
    phase: asCode(view.getUint8(at + CONNECTION_PHASE)),
    risk: asCode(view.getUint8(at + CONNECTION_RISK)),
    loss: asCode(view.getUint8(at + CONNECTION_LOSS)),
    flags: view.getUint32(at + CONNECTION_FLAGS, true),
    generation: view.getUint16(at + CONNECTION_GENERATION, true),
    stackPort: view.getUint16(at + CONNECTION_STACK_PORT, true),
    seenMs: view.getUint32(at + CONNECTION_SEEN_MS, true),
    holeSeq: view.getUint32(at + CONNECTION_HOLE_SEQ, true),
    holeBytes: view.getUint32(at + CONNECTION_HOLE_BYTES, true),
    record: asCode(view.getUint8(at + CONNECTION_RECORD)),
    diverged: [
      Number(view.getBigUint64(at + CONNECTION_DIVERGED_FIRST, true)),
      Number(view.getBigUint64(at + CONNECTION_DIVERGED_LAST, true)),
    ],
    inbound: flow(0),
    outbound: flow(1),
  };
}
