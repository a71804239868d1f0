/**
 * The transmit queue: descriptors of the frames the host has to send before its next call. A frame lies either in
 * the receive slot (a captured frame, edited in place) or in the arena (made by the core). Both are free again at
 * the next call, so nothing here outlives one call.
 */
import { Counter, Port } from '../abi/codes';
import {
  TX_ARENA_BYTES,
  TX_DESC_BYTES,
  TX_DESC_CONN,
  TX_DESC_LEN,
  TX_DESC_OFF,
  TX_DESC_PORT,
  TX_MAX,
} from '../abi/layout';
import { Ptr, TX_ARENA, TX_TABLE } from './regions';
import { count } from './counters';

/** A frame the core makes is never longer than this: a jumbo frame with two tags. */
export const TX_FRAME_MAX: u32 = 9216;
/** Descriptors kept for answers (ACK, RST, ARP) when bulk sending stops. */
const TX_RESERVE: u32 = 16;

let queued: u32 = 0;
let arenaUsed: u32 = 0;

export function txReset(): void {
  queued = 0;
  arenaUsed = 0;
}

export function txCount(): i32 {
  return <i32>queued;
}

/** Whether bulk sending may go on in this call. */
export function txHasRoom(): bool {
  return queued + TX_RESERVE < TX_MAX && arenaUsed + TX_FRAME_MAX * TX_RESERVE < TX_ARENA_BYTES;
}

/** Room for a frame of at most `bytes`, or 0 when the queue is full. Becomes a frame with txPush. */
export function txAlloc(bytes: u32): Ptr {
  if (queued >= TX_MAX || arenaUsed + bytes > TX_ARENA_BYTES) return 0;
  const at = TX_ARENA + arenaUsed;
  arenaUsed += (bytes + 15) & ~(<u32>15);
  return at;
}

/** Queues a frame. False when the table is full: the frame is lost, and TCP repeats it. */
export function txPush(frame: Ptr, length: u32, port: Port, connection: u32): bool {
  if (queued >= TX_MAX) return false;
  const desc = TX_TABLE + queued * TX_DESC_BYTES;
  store<u32>(desc, <u32>frame, TX_DESC_OFF);
  store<u32>(desc, length, TX_DESC_LEN);
  store<u32>(desc, <u32>port, TX_DESC_PORT);
  store<u32>(desc, connection, TX_DESC_CONN);
  queued++;
  count(port == Port.Wire ? Counter.FramesOutWire : Counter.FramesOutStack);
  return true;
}
