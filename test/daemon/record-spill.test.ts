/** Recorded bytes on their way to the disk and back, with a core whose wishes are in the test's hands. */
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { NO_CONNECTION } from '../../src/core/record-exchange';
import type { Disk } from '../../src/daemon/extent-file';
import { EXTENT_BYTES, ExtentFile } from '../../src/daemon/extent-file';
import type { Exchange } from '../../src/daemon/record-spill';
import { RecordSpill } from '../../src/daemon/record-spill';

interface HandOut {
  readonly connection: number;
  readonly offset: number;
  readonly bytes: Buffer;
}

/** Hands out and asks for what it is told to. */
class FakeCore implements Exchange {
  readonly rx = Buffer.alloc(65_600);
  readonly handOuts: HandOut[] = [];
  readonly wishes: { readonly connection: number; readonly from: number; readonly length: number }[] = [];
  /** By connection; 1 for those that are not named. */
  readonly incarnations = new Map<number, number>();
  readonly unneeded = new Set<number>();
  readonly failed: number[] = [];
  readonly supplied: { readonly connection: number; readonly bytes: Buffer }[] = [];
  #last: HandOut | undefined;

  spill(): number {
    this.#last = this.handOuts.shift();
    if (this.#last === undefined) return 0;
    this.#last.bytes.copy(this.rx);
    return this.#last.bytes.length;
  }

  spilledConnection = () => this.#last?.connection ?? NO_CONNECTION;
  spilledOffset = () => this.#last?.offset ?? 0;
  fail = (connection: number) => void this.failed.push(connection);
  wanted = () => this.wishes[0]?.connection ?? NO_CONNECTION;
  wantedFrom = () => this.wishes[0]?.from ?? 0;
  wantedLength = () => this.wishes[0]?.length ?? 0;
  incarnation = (connection: number) => this.incarnations.get(connection) ?? 1;
  needs = (connection: number, incarnation: number) =>
    !this.unneeded.has(connection) && this.incarnation(connection) === incarnation;

  supply(connection: number, length: number): number {
    this.wishes.shift();
    this.supplied.push({ connection, bytes: Buffer.from(this.rx.subarray(0, length)) });
    return 2;
  }
}

interface Warning {
  readonly reason?: string;
  readonly givenUp?: number;
}

function open(t: ExecutionContext, { extents = 64, disk = fs }: { extents?: number; disk?: Disk } = {}) {
  const folder = fs.mkdtempSync(join(tmpdir(), 'migware-spill-'));
  const core = new FakeCore();
  const warnings: Warning[] = [];
  const quiet = () => undefined;
  const log = { debug: quiet, info: quiet, error: quiet, warn: (fields: object) => void warnings.push(fields) };
  // The clock is about to wrap.
  const spill = new RecordSpill(core, new ExtentFile(join(folder, 'f'), extents * EXTENT_BYTES, disk), log, WRAP - 100);
  t.teardown(() => {
    spill.close();
    fs.rmSync(folder, { recursive: true });
  });
  return { core, spill, warnings };
}

const WRAP = 2 ** 32;
const NOW = WRAP - 100;
const bytesOf = (seed: number, length: number) =>
  Buffer.from(Uint8Array.from({ length }, (_, i) => (i * 7 + seed * 13 + (i >> 8)) & 255));

test('what the core hands out comes back when it asks, part by part', (t) => {
  const { core, spill, warnings } = open(t);
  const stream = bytesOf(1, 150_000);
  core.handOuts.push(
    { connection: 7, offset: 0, bytes: stream.subarray(0, 65_600) },
    { connection: 9, offset: 0, bytes: bytesOf(2, 1000) },
    { connection: 7, offset: 65_600, bytes: stream.subarray(65_600, 131_200) },
    { connection: 7, offset: 131_200, bytes: stream.subarray(131_200) },
  );
  spill.spill(NOW);
  t.deepEqual(
    [spill.bytesOf(7, 1), spill.bytesOf(9, 1), spill.bytesOf(7, 2), spill.bytesOf(8, 1)],
    [150_000, 1000, 0, 0],
  );
  t.is(spill.usedBytes, 4 * EXTENT_BYTES);

  core.wishes.push(
    { connection: 7, from: 0, length: 65_600 },
    { connection: 7, from: 65_600, length: 65_600 },
    { connection: 9, from: 900, length: 100 },
    { connection: 7, from: 131_200, length: 18_800 },
  );
  t.deepEqual(
    [1, 2, 3, 4, 5].map(() => spill.supply(NOW)),
    [2, 2, 2, 2, -1],
  );
  const got = (connection: number) =>
    Buffer.concat(core.supplied.filter((each) => each.connection === connection).map(({ bytes }) => bytes));
  t.true(got(7).equals(stream));
  t.true(got(9).equals(bytesOf(2, 1000).subarray(900)));
  t.deepEqual([core.failed, warnings], [[], []]);
});

test('bytes that nobody needs any more make room, within a second or two', (t) => {
  const { core, spill } = open(t);
  for (const connection of [1, 2, 3]) core.handOuts.push({ connection, offset: 0, bytes: bytesOf(connection, 40_000) });
  spill.spill(NOW);
  core.unneeded.add(1);
  core.incarnations.set(2, 5);
  spill.spill((NOW + 999) >>> 0);
  t.is(spill.usedBytes, 3 * EXTENT_BYTES);
  spill.spill((NOW + 1000) >>> 0);
  t.is(spill.usedBytes, EXTENT_BYTES);
  t.is(spill.bytesOf(3, 1), 40_000);
});

test('a record that is used anew begins anew', (t) => {
  const { core, spill, warnings } = open(t);
  core.handOuts.push({ connection: 1, offset: 0, bytes: bytesOf(1, 40_000) });
  spill.spill(NOW);
  core.incarnations.set(1, 2);
  core.handOuts.push({ connection: 1, offset: 0, bytes: bytesOf(2, 100) });
  spill.spill(NOW);
  t.deepEqual([spill.bytesOf(1, 1), spill.bytesOf(1, 2), spill.usedBytes], [0, 100, EXTENT_BYTES]);
  core.wishes.push({ connection: 1, from: 0, length: 100 });
  spill.supply(NOW);
  t.true(core.supplied[0]?.bytes.equals(bytesOf(2, 100)));
  t.deepEqual([core.failed, warnings], [[], []]);
});

test('when the limit is reached nothing is taken, and that is told once a minute', (t) => {
  const { core, spill, warnings } = open(t, { extents: 2 });
  core.handOuts.push({ connection: 1, offset: 0, bytes: bytesOf(1, 100) });
  core.handOuts.push({ connection: 2, offset: 0, bytes: bytesOf(2, 100) });
  spill.spill(NOW);
  // The second one stays with the core, whose own budget decides about it.
  t.is(core.handOuts.length, 1);
  t.deepEqual(core.failed, []);
  t.deepEqual(warnings, [{ reason: 'record.disk, 128 KiB, is used up', givenUp: 0 }]);
  spill.spill((NOW + 59_999) >>> 0);
  t.is(warnings.length, 1);
  spill.spill((NOW + 60_000) >>> 0);
  t.is(warnings.length, 2);
  core.unneeded.add(1);
  spill.spill((NOW + 61_000) >>> 0);
  t.is(core.handOuts.length, 0);
  t.is(spill.bytesOf(2, 1), 100);
});

test('a disk that fails costs the record it was to take, is left alone for a while, and is told once a minute', (t) => {
  let isFull = false;
  const disk: Disk = {
    ...fs,
    writeSync: ((...args: Parameters<typeof fs.writeSync>) => {
      if (isFull) throw Object.assign(new Error('write'), { errno: -28, code: 'ENOSPC' });
      return fs.writeSync(...args);
    }) as Disk['writeSync'],
  };
  const { core, spill, warnings } = open(t, { disk });
  core.handOuts.push({ connection: 1, offset: 0, bytes: bytesOf(1, 100) });
  spill.spill(NOW);
  isFull = true;
  core.handOuts.push({ connection: 1, offset: 100, bytes: bytesOf(1, 100) });
  core.handOuts.push({ connection: 2, offset: 0, bytes: bytesOf(1, 100) });
  core.handOuts.push({ connection: 3, offset: 0, bytes: bytesOf(1, 100) });
  spill.spill(NOW);
  t.deepEqual(core.failed, [1]);
  t.is(spill.usedBytes, 0);
  spill.spill((NOW + 9999) >>> 0);
  t.deepEqual(core.failed, [1]);
  spill.spill((NOW + 10_000) >>> 0);
  t.deepEqual(core.failed, [1, 2]);
  t.deepEqual(warnings, [{ reason: 'no space left on device', givenUp: 1 }]);
  isFull = false;
  spill.spill((NOW + 20_000) >>> 0);
  t.is(spill.bytesOf(3, 1), 100);
  isFull = true;
  core.handOuts.push({ connection: 4, offset: 0, bytes: bytesOf(1, 100) });
  spill.spill((NOW + 60_000) >>> 0);
  t.deepEqual(warnings.at(-1), { reason: 'no space left on device', givenUp: 2 });
});

test('bytes that cannot be read, or are not there, cost the connection, and the core is answered', (t) => {
  let isBroken = false;
  const disk: Disk = {
    ...fs,
    readSync: ((...args: Parameters<typeof fs.readSync>) => {
      if (isBroken) throw Object.assign(new Error('read'), { errno: -5, code: 'EIO' });
      return fs.readSync(...args);
    }) as Disk['readSync'],
  };
  const { core, spill, warnings } = open(t, { disk });
  core.handOuts.push({ connection: 1, offset: 0, bytes: bytesOf(1, 100) });
  core.handOuts.push({ connection: 2, offset: 0, bytes: bytesOf(1, 100) });
  spill.spill(NOW);
  core.wishes.push({ connection: 2, from: 100, length: 10 }, { connection: 3, from: 0, length: 10 });
  t.deepEqual([spill.supply(NOW), spill.supply(NOW)], [2, 2]);
  isBroken = true;
  core.wishes.push({ connection: 1, from: 0, length: 10 });
  t.is(spill.supply(NOW), 2);
  t.deepEqual(core.failed, [2, 3, 1]);
  t.deepEqual(
    core.supplied.map(({ connection, bytes }) => [connection, bytes.length]),
    [
      [2, 0],
      [3, 0],
      [1, 0],
    ],
  );
  t.deepEqual(warnings, [{ reason: 'the bytes from 100 on are not in the file', givenUp: 1 }]);
});

test('bytes with a gap before them are not kept as if there were none', (t) => {
  const { core, spill, warnings } = open(t);
  core.handOuts.push({ connection: 1, offset: 0, bytes: bytesOf(1, 100) });
  core.handOuts.push({ connection: 1, offset: 150, bytes: bytesOf(1, 100) });
  spill.spill(NOW);
  t.deepEqual(core.failed, [1]);
  t.deepEqual(warnings, [{ reason: 'bytes from 100 on expected, and 150 found', givenUp: 1 }]);
});
