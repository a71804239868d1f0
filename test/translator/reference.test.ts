/** Every frame that the core sends for a live connection is the one that the reference says, byte for byte. */
import test from 'ava';
import fc from 'fast-check';
import { Port, Reason, TcpState } from '../../assembly/abi/codes';
import { FLOW_FLAG_FIN_ACKED } from '../../assembly/abi/layout';
import { reasonName } from '../../src/core/names';
import { hex } from '../support/frames';
import { type Segment, readSent } from '../support/sent';
import { type Moved, move, plan } from './connections';
import { type Step, segmentOf, step } from './segments';
import { assemble, dissect } from './wire';

const BUILDS = ['debug', 'release'] as const;
/** Connections, and segments of each: some seconds. Debug is ten times slower. */
const RUNS = { debug: 100, release: 800 } as const;
const STEPS = 12;

function segment(port: Port, bytes: Uint8Array): Segment {
  const sent = readSent(port, 0, bytes);
  if (sent.kind !== 'tcp') throw new Error('no segment');
  return sent;
}

/** Where two frames differ: fields by name, or the bytes when no field does. */
function difference(port: Port, expected: Uint8Array, found: Uint8Array): string {
  const [a, b] = [segment(port, expected), segment(port, found)] as unknown as Record<string, unknown>[];
  const text = (value: unknown): string =>
    value instanceof Uint8Array ? `${value.length} bytes` : JSON.stringify(value);
  const fields = Object.keys(a ?? {}).filter((name) => name !== 'bytes' && hexOr(a?.[name]) !== hexOr(b?.[name]));
  const named = fields.map((name) => `${name} ${text(b?.[name])} instead of ${text(a?.[name])}`);
  return `${named.join(', ')}\n  expected ${hex(expected.subarray(0, 120))}\n  found    ${hex(found.subarray(0, 120))}`;
}

function hexOr(value: unknown): string {
  return value instanceof Uint8Array ? hex(value) : JSON.stringify(value);
}

/** A client that has closed and forgotten resets what comes late: the replica may still have to read (RFC 1337). */
function isOverForClient({ flow, reference }: Moved, { from, flags }: Step): boolean {
  return (
    !reference.setting.isProxied &&
    from === 'client' &&
    flags.includes('R') &&
    flow.record().state === TcpState.TimeWait
  );
}

/** A replica that is done resets what comes late too, and the client may still lack bytes of the primary. */
function isOverForReplica({ flow, reference }: Moved, { from, flags }: Step): boolean {
  const isRead = (flow.record().inbound.flags & FLOW_FLAG_FIN_ACKED) !== 0;
  return reference.setting.isClosed && from === 'replica' && flags.includes('R') && isRead;
}

/** Sends one segment through both, and compares. */
function compare(moved: Moved, drawn: Step): void {
  const { flow, reference } = moved;
  const { end, flags, overrides } = segmentOf(moved, drawn);
  const isInbound = end === flow.client;
  const frame = dissect(flow.frame(end, flags, overrides));
  const outcome = isOverForClient(moved, drawn)
    ? { refused: Reason.Absorbed }
    : isOverForReplica(moved, drawn)
      ? { refused: Reason.ServerClosed }
      : isInbound
        ? reference.toReplica(frame)
        : reference.toClient(frame);
  const refusals = flow.world.refusals();
  flow.send(end, flags, overrides);
  const refused = flow.world
    .refusals()
    .flatMap((n, reason) => (n > (refusals[reason] ?? 0) ? [reasonName(reason)] : []));
  const what = `${drawn.from}'s ${flags} of ${frame.payload.length} bytes`;
  const expected = 'refused' in outcome ? [] : outcome.map(assemble);
  const reasons = 'refused' in outcome ? [reasonName(outcome.refused)] : [];
  if (refused.join() !== reasons.join())
    throw new Error(`${what}: refused for ${refused.join()}, not ${reasons.join()}`);
  if (flow.sent.length !== expected.length)
    throw new Error(`${what}: ${flow.sent.length} frames, not ${expected.length}`);
  const port = isInbound && !reference.setting.isRemote ? Port.Stack : Port.Wire;
  for (const [i, { port: out, bytes }] of flow.sent.entries()) {
    const wanted = expected[i] ?? new Uint8Array(0);
    if (out !== port) throw new Error(`${what}: on port ${out}`);
    if (hex(wanted) !== hex(bytes)) throw new Error(`${what}, part ${i}: ${difference(port, wanted, bytes)}`);
  }
  flow.take();
}

for (const build of BUILDS) {
  test(`${build}: segments of live connections are translated as the reference does`, (t) => {
    t.timeout(120_000);
    const property = fc.property(plan, fc.array(step, { maxLength: STEPS }), (drawn, steps) => {
      const moved = move(build, drawn);
      for (const one of steps) {
        compare(moved, one);
        if (one.flags.includes('R')) return;
      }
    });
    t.notThrows(() => {
      fc.assert(property, { numRuns: RUNS[build], includeErrorInReport: true });
    });
  });
}
