/** Connections that are not moved: those made after the crash, and those made straight to the replica. */
import test from 'ava';
import type { Program } from '../../src/demo/program';
import type { CrashOptions } from './scenario';
import { crash, workAll } from './scenario';

const PLACES: Readonly<Record<string, CrashOptions>> = {
  '': {},
  ', IPv6': { family: 6 },
  ', client behind a router': { router: true },
  ', replica on another machine': { remoteReplica: true },
};

for (const [place, choices] of Object.entries(PLACES)) {
  test(`new connections reach the replica${place}`, async (t) => {
    let later: Program;
    const { verdict } = await crash(t, {
      ...choices,
      after: async (running) => {
        const { lab, daemon } = running;
        // The judge wants the replica to have seen them under their own addresses, unless it is on another machine.
        later = await lab.connect({ connections: 30 });
        await workAll({ ...running, clients: later });
        const status = await daemon.until('new connections counted', ({ connections }) => connections.proxied === 30);
        t.is(status.connections.recovered, 20);
        t.is(status.connections.tracked, 50);
      },
      finish: async ({ lab, clients }) => {
        await Promise.all([lab.finish(clients), lab.finish(later)]);
      },
    });
    t.is(verdict.kept, 50);
  });

  test(`connections straight to the replica's own address go on untouched through all states${place}`, async (t) => {
    const direct: Program[] = [];
    const { verdict } = await crash(t, {
      ...choices,
      before: async (running) => {
        const { lab } = running;
        direct.push(await lab.connect({ connections: 10 }, lab.replicaAddress));
        await workAll(running);
        for (const clients of direct) await workAll({ ...running, clients });
      },
      after: async (running) => {
        const { lab } = running;
        direct.push(await lab.connect({ connections: 10 }, lab.replicaAddress));
        await workAll(running);
        for (const clients of direct) await workAll({ ...running, clients });
      },
      finish: async ({ lab, clients, daemon }) => {
        const { connections } = await daemon.status();
        t.like(connections, { tracked: 20, proxied: 0 });
        await Promise.all([clients, ...direct].map((some) => lab.finish(some)));
      },
    });
    t.is(verdict.kept, 40);
  });
}
