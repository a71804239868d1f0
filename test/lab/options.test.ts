/**
 * What client and primary agreed on holds towards the client, whatever the replica agrees to. Each fail-over has answers under
 * way to a client whose path loses frames, and then uploads on the same path.
 */
import type { ExecutionContext } from 'ava';
import test from 'ava';
import type { CrashOptions } from './scenario';
import { answersUnderWay, crash, uploads } from './scenario';

const SYSCTLS = {
  SACK: 'net.ipv4.tcp_sack',
  timestamps: 'net.ipv4.tcp_timestamps',
  'window scale': 'net.ipv4.tcp_window_scaling',
} as const;
type Option = keyof typeof SYSCTLS;
const ALL = Object.keys(SYSCTLS) as Option[];

type Setting = 'on' | 'off';
const COMBINATIONS = [
  ['on', 'off'],
  ['off', 'on'],
  ['off', 'off'],
] as const;

const LOSSY = ['--loss', '2', '--delay', '1'];

async function bothWays(t: ExecutionContext, choices: CrashOptions): Promise<void> {
  await crash(t, { ...answersUnderWay(8192), clientCable: LOSSY, ...choices });
  const plan = uploads(1 << 20);
  // What a client has written and not sent by the end has to go the slow way too: without SACK, a loss at a time.
  await crash(t, { ...plan, client: { ...plan.client, sndbuf: 131_072 }, clientCable: LOSSY, ...choices });
}

/** @param agreed with the primary @param offered at the replica */
function settings(options: readonly Option[], agreed: Setting, offered: Setting): CrashOptions {
  const values = (setting: Setting) =>
    Object.fromEntries(options.map((option) => [SYSCTLS[option], setting === 'on' ? 1 : 0]));
  // A client that does not offer an option is enough not to agree on it, but the primary shall not offer it either.
  return { sysctl: { client: values(agreed), primary: values(agreed), replica: values(offered) } };
}

for (const [agreed, offered] of COMBINATIONS) {
  for (const option of ALL) {
    test(`${option} ${agreed} with the primary, ${offered} at the replica`, async (t) => {
      await bothWays(t, settings([option], agreed, offered));
    });
  }
  test(`SACK, timestamps and window scale ${agreed} with the primary, ${offered} at the replica`, async (t) => {
    await bothWays(t, settings(ALL, agreed, offered));
  });
}

/** The window scale that Linux offers follows from the largest buffer. */
for (const [name, most] of Object.entries({ smaller: 262_144, larger: 1 << 28 })) {
  test(`a ${name} window scale at the replica`, async (t) => {
    await bothWays(t, { sysctl: { replica: { 'net.ipv4.tcp_rmem': `4096 131072 ${most}` } } });
  });
}

test('a smaller MTU at a replica on another machine', async (t) => {
  // Not the backup's: an interface takes no frames much larger than its MTU, so its tap would miss the full-sized ones.
  await bothWays(t, { remoteReplica: true, mtu: { replica: 1280 } });
});

test('a smaller MTU at the client', async (t) => {
  await bothWays(t, { mtu: { client: 1280 } });
});

test('a smaller MSS at the replica', async (t) => {
  await crash(t, { ...uploads(1 << 20), clientCable: LOSSY, replica: { maxseg: 536 } });
});

test('a larger MSS at the replica than the client agreed with the primary', async (t) => {
  await crash(t, { ...uploads(1 << 20), clientCable: LOSSY, service: { maxseg: 536 }, replica: { maxseg: 0 } });
});

test('a small MSS of the client', async (t) => {
  const { client, ...rest } = answersUnderWay(8192);
  await crash(t, { ...rest, clientCable: LOSSY, client: { ...client, maxseg: 536 } });
});
