/** The primary dies in the middle of uploads and downloads. */
import test from 'ava';
import { answersUnderWay, crash, uploads } from './scenario';

const MIB = 1 << 20;

test('uploads at full speed go on', async (t) => {
  await crash(t, uploads(24 * MIB));
});

test('uploads whose segments receive offload has merged to 64 KiB go on', async (t) => {
  await crash(t, { ...uploads(48 * MIB), offloads: true });
});

test('uploads that wait for a window of zero go on', async (t) => {
  await crash(t, {
    ...uploads(2 * MIB, 10),
    service: { holdReading: true, rcvbuf: 32768 },
    replica: { holdReading: false },
    before: async ({ lab }) => {
      await lab.probingClosedWindows(10);
    },
  });
});

for (const record of [8192, 131_072]) {
  test(`answers of ${record} bytes under way to the client arrive, and more can be asked for`, async (t) => {
    await crash(t, answersUnderWay(record));
  });
}

test('answers under way as frames of 64 KiB arrive', async (t) => {
  await crash(t, { ...answersUnderWay(262_144), offloads: true });
});
