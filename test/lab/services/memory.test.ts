/**
 * Services that are given the whole stream of a connection: replayed after the crash, or read along before it. The replica of
 * each must have read everything that the clients wrote, and the clients check every byte they get.
 */
import test from 'ava';
import type { CrashOptions } from '../scenario';
import { answersUnderWay, crash, endsAroundTheCut, fallSilent, goOn, nothing, workAll } from '../scenario';
import type { ServiceStat } from '../vocabulary';
import { conversations, pacedUploads } from './memory';

const LOSSY = ['--loss', '2', '--reorder', '2', '--duplicate', '1', '--delay', '1'] as const;
const SACK_TIMESTAMPS_SCALE = ['net.ipv4.tcp_sack', 'net.ipv4.tcp_timestamps', 'net.ipv4.tcp_window_scaling'];
const without = Object.fromEntries(SACK_TIMESTAMPS_SCALE.map((key) => [key, 0]));
const CONNECTIONS = 20;

/** What all have in common is the policy; the rest is in the name. */
const CASES: Readonly<Record<string, CrashOptions>> = {
  'one conversation': conversations(1),
  '200 conversations': conversations(200),
  '200 conversations whose frames get lost': { ...conversations(200), clientCable: LOSSY },
  '200 conversations through a backlog of 16': {
    ...conversations(200),
    replica: { backlog: 16 },
  },
  'idle conversations': {
    ...conversations(CONNECTIONS),
    before: async (running) => {
      await workAll(running);
      await fallSilent(running);
    },
    after: goOn,
  },
  'connections without a byte said': {
    ...conversations(CONNECTIONS, { interval: 3_600_000 }),
    before: async ({ clients }) => {
      await clients.ask('pause');
    },
    after: nothing,
  },
  'answers under way': answersUnderWay(8192),
  'large answers under way, frames lost': { ...answersUnderWay(131_072), clientCable: LOSSY },
  uploads: pacedUploads(4 << 20),
  'uploads whose frames get lost': { ...pacedUploads(2 << 20), clientCable: LOSSY },
  'uploads with offloads on': { ...pacedUploads(4 << 20), offloads: true },
  'conversations over IPv6': { ...conversations(CONNECTIONS), family: 6 },
  'answers under way over IPv6': { ...answersUnderWay(8192), family: 6 },
  'conversations of a client behind a router': { ...conversations(CONNECTIONS), router: true },
  'conversations at a switch': { ...conversations(CONNECTIONS), segment: 'switch' },
  'a replica without SACK, timestamps and window scale': {
    ...answersUnderWay(8192),
    clientCable: LOSSY,
    sysctl: { replica: without },
  },
  'a primary without them': {
    ...answersUnderWay(8192),
    clientCable: LOSSY,
    sysctl: { primary: without },
  },
  'numbers that wrap': { ...pacedUploads(1 << 20), primaryCable: ['--isn', '4294900000', '--isn-step', '100000'] },
};

for (const recovery of ['replay', 'shadow'] as const) {
  for (const [name, choices] of Object.entries(CASES)) {
    test(`${recovery}: ${name}: nobody notices`, async (t) => {
      await crash(t, { ...choices, daemon: { recovery } });
    });
  }

  test(`${recovery}: clients that have closed their side get their answer`, async (t) => {
    const goodbye = 5000;
    let finished: Promise<void> | undefined;
    await crash(t, {
      service: { goodbye, holdGoodbye: true },
      client: { connections: CONNECTIONS, goodbye },
      daemon: { recovery },
      before: async (running) => {
        const { lab } = running;
        await workAll(running);
        await fallSilent(running);
        finished = lab.finish(running.clients);
        const primary = lab.service('primary');
        await primary.until<ServiceStat>('stat', 'the end of every upload', ({ ended }) => ended === CONNECTIONS);
      },
      after: ({ lab }) => {
        lab.service('replica').tell('release');
      },
      finish: async () => finished,
    });
  });

  test(`${recovery}: clients close before, while and after the primary dies`, async (t) => {
    await crash(t, { ...conversations(100), ...endsAroundTheCut(), daemon: { recovery } });
  });
}

test('replay: conversations with a replica on another machine go on', async (t) => {
  await crash(t, { ...conversations(CONNECTIONS), remoteReplica: true, daemon: { recovery: 'replay' } });
});
