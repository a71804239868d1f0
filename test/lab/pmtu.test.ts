/** The path to the client becomes narrower after the take-over: the router's ICMP errors have to reach the replica. */
import test from 'ava';
import { crash, fallSilent, goOn, workAll } from './scenario';

const NARROW = 1300;

for (const family of [4, 6] as const) {
  test(`path MTU discovery works through the translator, IPv${family}`, async (t) => {
    await crash(t, {
      family,
      router: true,
      service: { mode: 'get' },
      client: { mode: 'get', connections: 5, record: 100_000, interval: 10 },
      before: async (running) => {
        await workAll(running);
        // The replica knows nothing of half an answer.
        await fallSilent(running);
      },
      after: async (running) => {
        const { lab } = running;
        lab.router?.ip(`link set eth1 mtu ${NARROW}`);
        await goOn(running);
        // The kernel of the replica has learned it, for the connections that were moved.
        t.regex(lab.backup.run('ss', '-tin'), new RegExp(`pmtu:${NARROW}`));
      },
    });
  });
}
