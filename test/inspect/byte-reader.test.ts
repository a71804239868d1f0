/** Captures larger than what may be kept of them. */
import test from 'ava';
import { ByteReader } from '../../src/inspect/byte-reader';
import { CaptureFile } from '../../src/inspect/capture-file';
import { inspectFile } from '../../src/inspect/inspect';
import { TotalsCounter } from '../../src/inspect/report';
import { LongCapture, SENT_BYTES } from './long-capture';

const GB = 1e9;
const MIB = 1 << 20;

test('a capture of a gigabyte needs a buffer of a mebibyte', (t) => {
  const source = new LongCapture(GB);
  const reads: number[] = [];
  const file = CaptureFile.from('long', source, (bytesRead, size) => {
    t.is(size, source.size);
    reads.push(bytesRead);
  });
  const capture = inspectFile(file);
  const { inspection } = capture;
  t.true(source.size >= GB);
  t.deepEqual(inspection.warnings, []);
  t.deepEqual(inspection.refused, {});
  t.is(inspection.frames, source.frames);
  const counter = new TotalsCounter();
  for (const connection of capture.connections()) counter.add(connection);
  const { totals } = counter;
  t.deepEqual([totals.connections, totals.recoverable], [source.connections, source.connections]);
  t.is(totals.inboundBytes, source.connections * SENT_BYTES);

  t.true(file.bufferBytes <= MIB);
  t.true(source.longestRead <= MIB);
  t.deepEqual(
    reads,
    reads.toSorted((a, b) => a - b),
  );
  t.is(reads.at(-1), source.size);
});

test('the buffer grows to the longest piece that is asked for, whatever is skipped', (t) => {
  const size = 10 * MIB;
  let left = size;
  const reader = new ByteReader({
    size,
    close() {},
    read(into) {
      // As a pipe gives them: never as much as was asked for.
      const length = Math.min(left, into.length, 100_001);
      into.fill(0x61, 0, length);
      left -= length;
      return length;
    },
  });
  t.true(reader.skip(5 * MIB));
  t.is(reader.bufferBytes, MIB);
  t.is(reader.take(2 * MIB)?.equals(Buffer.alloc(2 * MIB, 0x61)), true);
  t.is(reader.bufferBytes, 2 * MIB);
  t.true(reader.skip(3 * MIB));
  t.true(reader.atEnd);
  t.is(reader.take(1), undefined);
});
