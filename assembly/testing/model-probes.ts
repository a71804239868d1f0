/**
 * Test build only: where a record keeps what means the same under another name. Blocks of the store can be exchanged,
 * and all times moved together, without any difference to what the core will do.
 */
import { Dir } from '../abi/codes';
import { CONNECTION_FLOWS, FLOW_BYTES, NONE } from '../abi/layout';
import { connectionAt, Connection, Flow, flowOf } from '../tracker/connection';

/** Address of each chain of blocks of a connection, 0 beyond the last. */
export function probeChain(connection: u32, which: u32): usize {
  const c = connectionAt(connection);
  switch (which) {
    case 0:
      return changetype<usize>(flowOf(c, Dir.Inbound).kept);
    case 1:
      return changetype<usize>(flowOf(c, Dir.Outbound).kept);
    case 2:
      return changetype<usize>(c.uncompared);
    case 3:
      return changetype<usize>(c.ahead);
    case 4:
      return changetype<usize>(c.causes);
    default:
      return 0;
  }
}

/** Offset in a record of each field that holds a time, NONE beyond the last. */
export function probeClock(which: u32): u32 {
  const inFlow = <u32>CONNECTION_FLOWS + (which % 2) * FLOW_BYTES;
  switch (which / 2) {
    case 0:
      return inFlow + <u32>offsetof<Flow>('tsMs');
    case 1:
      return inFlow + <u32>offsetof<Flow>('feedMs');
    case 2:
      return inFlow + <u32>offsetof<Flow>('feedHeardMs');
    case 3:
      return <u32>(which % 2 == 0 ? offsetof<Connection>('seenMs') : offsetof<Connection>('timerMs'));
    case 4:
      return <u32>(which % 2 == 0 ? offsetof<Connection>('startedMs') : offsetof<Connection>('copyMs'));
    default:
      return NONE;
  }
}

/** Offsets of the deltas in a record. */
export function probeD1(): u32 {
  return <u32>offsetof<Connection>('d1');
}

export function probeD2(): u32 {
  return <u32>offsetof<Connection>('d2');
}
