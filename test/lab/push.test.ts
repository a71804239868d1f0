/** The primary dies while clients push records. */
import test from 'ava';
import { crash, workAll } from './scenario';

test('200 pushing connections go on', async (t) => {
  await crash(t, { client: { connections: 200 } });
});

test('1,000 connections go on through a listen backlog of 128', async (t) => {
  await crash(t, { service: { backlog: 128 }, client: { connections: 1000, interval: 100 } });
});

test('500 connections go on through a listen backlog of 16', async (t) => {
  await crash(t, { service: { backlog: 16 }, client: { connections: 500, interval: 50, burst: 8 } });
});

test('10,000 connections go on', async (t) => {
  await crash(t, { client: { connections: 10_000, interval: 1000 } });
});

test('clients of a primary that loses its power go on', async (t) => {
  await crash(t, { cut: ({ lab }) => lab.powerOff() });
});

test('clients of a primary whose port falls silent with its link up go on', async (t) => {
  await crash(t, {
    cut: ({ lab }) => {
      lab.silence();
    },
  });
});

test('two client hosts that use the same ports are told apart', async (t) => {
  const client = { connections: 40 };
  let others: Parameters<typeof workAll>[0]['clients'];
  await crash(t, {
    clientHosts: 2,
    sysctl: { client: { 'net.ipv4.ip_local_port_range': '40000 40049' } },
    client,
    tracked: 80,
    before: async (running) => {
      const { lab } = running;
      others = await lab.connect(client, lab.address(), lab.clientHosts[1]);
      await workAll(running);
      await workAll({ ...running, clients: others });
    },
    after: async (running) => {
      await workAll(running);
      await workAll({ ...running, clients: others });
    },
    finish: async ({ lab, clients }) => {
      await Promise.all([lab.finish(clients), lab.finish(others)]);
    },
  });
});
