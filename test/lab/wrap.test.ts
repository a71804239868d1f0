/**
 * Sequence numbers that wrap while the connections are moved. Initial numbers cannot be chosen from user space at a listening
 * socket, so a firewall that replaces them, as many do, stands before the client and before the primary: the tap sees numbers
 * that start just below 2^32, each connection's a little further below than the one before, so that at any moment some are
 * about to wrap and some just have.
 */
import test from 'ava';
import type { CrashOptions } from './scenario';
import { answersUnderWay, crash, uploads } from './scenario';

const LAST = 0xffff_ffff;

/** @param step bytes between the wraps of one connection and the next */
function firewall(step: number): string[] {
  return ['--isn', String(LAST - step), '--isn-step', String(step)];
}

/** Numbers of the client, of the primary, and of both. */
function wraps(step: number): Readonly<Record<string, CrashOptions>> {
  const chosen = firewall(step);
  return {
    'the client': { clientCable: chosen },
    'the primary': { primaryCable: chosen },
    'both sides': { clientCable: chosen, primaryCable: chosen },
  };
}

for (const [whose, cables] of Object.entries(wraps(40))) {
  test(`numbers of ${whose} wrap: pushing connections go on`, async (t) => {
    await crash(t, {
      ...cables,
      client: { connections: 60, interval: 10 },
      before: async ({ clients, lab }) => {
        await lab.allProgress(clients);
        await lab.until(
          clients,
          'half of the connections past the wrap',
          ({ acknowledgedMin }) => acknowledgedMin > 1200,
        );
      },
    });
  });
}

for (const [whose, cables] of Object.entries(wraps(150_000))) {
  test(`numbers of ${whose} wrap: uploads go on`, async (t) => {
    await crash(t, { ...uploads(2 << 20, 10), ...cables });
  });
}

for (const [whose, cables] of Object.entries(wraps(13_000))) {
  // Each connection has had 16 answers before the one under way; the steps put the wraps before, inside and after it.
  test(`numbers of ${whose} wrap: answers under way arrive`, async (t) => {
    await crash(t, { ...answersUnderWay(8192, 20), ...cables });
  });
}
