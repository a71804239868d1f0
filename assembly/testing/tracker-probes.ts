/**
 * Test build only: thin probes onto the tracker's inner functions. Integers in, integers out; nothing here decides.
 * `flow` is the address of a Flow in memory that the test owns.
 */
import { Flow } from '../tracker/connection';
import { hashTuple } from '../tracker/key';
import { Budget, emptyChain } from '../tracker/blocks';
import {
  contiguous,
  firstRetained,
  raiseFloor,
  readRetained,
  releaseAll,
  releaseBefore,
  retain,
} from '../tracker/retained';

function at(flow: usize): Flow {
  return changetype<Flow>(flow);
}

/** Makes the bytes at `flow` a Flow without blocks. */
export function probeEmptyFlow(flow: usize): void {
  memory.fill(flow, 0, offsetof<Flow>());
  emptyChain(at(flow).kept, Budget.Retained);
}

export function probeRetain(flow: usize, seq: u32, bytes: usize, length: u32): u32 {
  return retain(at(flow).kept, seq, bytes, length);
}

export function probeReleaseBefore(flow: usize, seq: u32): void {
  releaseBefore(at(flow).kept, seq);
}

export function probeReleaseAll(flow: usize): void {
  releaseAll(at(flow).kept);
}

export function probeRaiseFloor(flow: usize, seq: u32): void {
  raiseFloor(at(flow).kept, seq);
}

export function probeFirstRetained(flow: usize, seq: u32, end: u32): u32 {
  return firstRetained(at(flow).kept, seq, end);
}

export function probeContiguous(flow: usize, seq: u32, limit: u32): u32 {
  return contiguous(at(flow).kept, seq, limit);
}

export function probeReadRetained(flow: usize, seq: u32, to: usize, length: u32): void {
  readRetained(at(flow).kept, seq, to, length);
}

export function probeRetainedBytes(flow: usize): u32 {
  return at(flow).kept.bytes;
}

export { hashTuple as probeHashTuple };
