/** Streams in a file of extents: what is read is what was written, room is given back, and a disk that fails is told. */
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { Disk, Stream } from '../../src/daemon/extent-file';
import { EXTENT_BYTES, ExtentFile } from '../../src/daemon/extent-file';

function folder(t: ExecutionContext): string {
  const made = fs.mkdtempSync(join(tmpdir(), 'migware-extents-'));
  t.teardown(() => fs.rmSync(made, { recursive: true }));
  return made;
}

function open(t: ExecutionContext, limit = 16 * EXTENT_BYTES, disk: Disk = fs): { file: ExtentFile; path: string } {
  const path = join(folder(t), 'records.spill');
  const file = new ExtentFile(path, limit, disk);
  t.teardown(() => file.close());
  return { file, path };
}

const newStream = (): Stream => ({ extents: [], bytes: 0 });
/** Bytes that tell where they belong: `seed` is the stream's, `at` their place in it. */
const bytesAt = (seed: number, at: number, length: number) =>
  Buffer.from(Uint8Array.from({ length }, (_, i) => ((at + i) * 31 + seed * 101 + ((at + i) >> 8)) & 255));

function read(file: ExtentFile, stream: Stream, at: number, length: number): Buffer {
  const into = Buffer.alloc(length + 8, 0xa5);
  file.read(stream, at, into, length);
  return into;
}

test('streams that grow in turns are each read back whole, from any place', (t) => {
  const { file } = open(t);
  const streams = [newStream(), newStream(), newStream()];
  for (const length of [1, 40_000, EXTENT_BYTES - 40_001, 65_600, 3, 65_600]) {
    for (const [seed, stream] of streams.entries()) {
      file.append(stream, Buffer.concat([bytesAt(seed, stream.bytes, length), Buffer.alloc(5, 0xee)]), length);
    }
  }
  for (const [seed, stream] of streams.entries()) {
    t.is(stream.bytes, EXTENT_BYTES + 2 * 65_600 + 3);
    for (const [at, length] of [
      [0, stream.bytes],
      [EXTENT_BYTES - 1, 2],
      [stream.bytes - 1, 1],
      [70_000, 65_600],
    ] as const) {
      const found = read(file, stream, at, length);
      t.true(found.subarray(0, length).equals(bytesAt(seed, at, length)), `${seed} ${at} ${length}`);
      t.true(found.subarray(length).every((byte) => byte === 0xa5));
    }
  }
  t.is(file.usedBytes, 3 * 4 * EXTENT_BYTES);
});

test('the file has no name, and is made anew after it was empty', (t) => {
  const { file, path } = open(t);
  t.false(fs.existsSync(path));
  // Left behind by a process that was killed at the wrong moment.
  fs.writeFileSync(path, 'old');
  for (const seed of [1, 2]) {
    const stream = newStream();
    file.append(stream, bytesAt(seed, 0, 100), 100);
    t.false(fs.existsSync(path));
    t.true(
      read(file, stream, 0, 100)
        .subarray(0, 100)
        .equals(bytesAt(seed, 0, 100)),
    );
    file.release(stream);
    t.deepEqual([stream.bytes, stream.extents.length, file.usedBytes], [0, 0, 0]);
  }
});

test('what one stream gives back is used by the next one', (t) => {
  const { file } = open(t);
  const [first, second, third] = [newStream(), newStream(), newStream()];
  file.append(first, bytesAt(1, 0, 10), 10);
  file.append(second, bytesAt(2, 0, 10), 10);
  const { extents } = first;
  const [freed] = extents;
  file.release(first);
  file.append(third, bytesAt(3, 0, 10), 10);
  t.deepEqual(third.extents, [freed]);
  t.is(file.usedBytes, 2 * EXTENT_BYTES);
  t.true(
    read(file, second, 0, 10)
      .subarray(0, 10)
      .equals(bytesAt(2, 0, 10)),
  );
});

test('room is what the limit leaves, in whole extents', (t) => {
  const { file } = open(t, 2 * EXTENT_BYTES + 100);
  t.deepEqual(
    [EXTENT_BYTES, EXTENT_BYTES + 1, 2 * EXTENT_BYTES + 1].map((bytes) => file.hasRoomFor(bytes)),
    [true, true, false],
  );
  file.append(newStream(), bytesAt(1, 0, 1), 1);
  t.deepEqual(
    [EXTENT_BYTES, EXTENT_BYTES + 1].map((bytes) => file.hasRoomFor(bytes)),
    [true, false],
  );
});

test('a disk that is full, or has lost bytes, is an error, and the stream can be released', (t) => {
  let left = 100_000;
  const full: Disk = {
    ...fs,
    // As the system does it: a part is taken before the next write is refused.
    writeSync: ((fd: number, from: Buffer, offset: number, length: number, position: number) => {
      if (left === 0) throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
      const part = Math.min(left, length);
      left -= part;
      return fs.writeSync(fd, from, offset, part, position);
    }) as Disk['writeSync'],
  };
  const { file } = open(t, 64 * EXTENT_BYTES, full);
  const [stream, other] = [newStream(), newStream()];
  file.append(stream, bytesAt(1, 0, 65_000), 65_000);
  t.throws(() => file.append(other, bytesAt(2, 0, 65_000), 65_000), { code: 'ENOSPC' });
  file.release(other);
  t.is(file.usedBytes, EXTENT_BYTES);
  t.true(
    read(file, stream, 0, 65_000)
      .subarray(0, 65_000)
      .equals(bytesAt(1, 0, 65_000)),
  );

  const claimed = { extents: [...stream.extents, 40], bytes: 2 * EXTENT_BYTES };
  t.throws(() => read(file, claimed, EXTENT_BYTES, 10), { message: /shorter than what was written/ });
});

test('a folder that is gone is an error, not a crash of the file', (t) => {
  const file = new ExtentFile(join(folder(t), 'gone', 'records.spill'), 16 * EXTENT_BYTES);
  const stream = newStream();
  t.throws(() => file.append(stream, Buffer.alloc(10), 10), { code: 'ENOENT' });
  file.release(stream);
  t.is(file.usedBytes, 0);
});
