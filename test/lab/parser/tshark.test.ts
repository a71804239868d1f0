/** The parser beside tshark: every field of frames that the test makes, and of what real kernels send. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { pcap } from '../../inspect/capture-writer';
import { Rig } from '../../parser/rig';
import { Random } from '../../sim/random';
import { hex } from '../../support/frames';
import { compare } from './compare';
import { randomFrame } from './generate';
import { recordKernels } from './record';
import { dissect } from './tshark';

const FRAMES = 3000;
const SEED = 20041;

function check(t: ExecutionContext, frames: readonly Uint8Array[]): Map<string, number> {
  const folder = mkdtempSync(join(tmpdir(), 'migware-tshark-'));
  t.teardown(() => {
    rmSync(folder, { recursive: true });
  });
  const file = join(folder, 'frames.pcap');
  // A second between two, so that none is taken for a retransmission of another.
  writeFileSync(
    file,
    pcap(
      { order: 'LE', unit: 'us' },
      frames.map((frame, i) => ({ frame, atMs: 1000 * i })),
    ),
  );
  const told = dissect(file);
  t.is(told.length, frames.length);
  const rig = new Rig('debug');
  const seen = new Map<string, number>();
  const wrong = frames.flatMap((frame, i) => {
    const dissected = told[i];
    if (dissected === undefined) return [];
    const differences = compare(rig.parse(frame), dissected, seen);
    return differences.length === 0 ? [] : [{ frame: hex(frame), differences }];
  });
  t.deepEqual(wrong.slice(0, 5), [], `${wrong.length} of ${frames.length} frames`);
  return seen;
}

test('frames of every kind, valid and not quite', (t) => {
  const random = new Random(SEED);
  const seen = check(
    t,
    Array.from({ length: FRAMES }, () => randomFrame(random)),
  );
  t.log([...seen].map(([field, n]) => `${field} ${n}`).join(', '));
  t.true(
    [...seen.values()].every((n) => n >= 10),
    'every field was compared with several values',
  );
});

test('what kernels send: connections that lose segments, are refused, are too big', async (t) => {
  const frames = await recordKernels(t);
  const seen = check(t, frames);
  t.log(`${frames.length} frames`);
  const happened = (field: string): boolean => (seen.get(field) ?? 0) > 0;
  // Otherwise the kernels did not do what the recording is there for.
  for (const field of ['SACK edges', 'tsPtr', 'quotedSeq', 'fragmentHasPorts', 'ndTarget', 'arpOp']) {
    t.true(happened(field), field);
  }
});
