/** Echo requests over the loopback interface: needs a raw socket, and nothing of the network. */
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { EnvironmentError } from '../../../src/errors';
import { systemClock } from '../../../src/monitor/clock';
import { icmpProbe } from '../../../src/monitor/icmp';
import type { Outcome, Probe } from '../../../src/monitor/probe';
import { startSchedule } from '../../../src/monitor/schedule';

for (const target of ['127.0.0.1', '::1']) {
  test.serial(`${target} answers, several attempts at a time`, async (t) => {
    const probe = icmpProbe(target, 'lo');
    t.teardown(() => probe.close());
    const outcomes = await Promise.all([1, 2, 3].map(() => new Promise<Outcome>((settle) => probe.begin(settle))));
    t.deepEqual(outcomes, [{ kind: 'answer' }, { kind: 'answer' }, { kind: 'answer' }]);
  });

  test.serial(`two programs that ask ${target} at the same time do not take each other's answers`, async (t) => {
    const probes = [icmpProbe(target), icmpProbe(target)];
    t.teardown(() => probes.forEach((probe) => probe.close()));
    const answered: number[] = [];
    const ask = (probe: Probe, index: number) =>
      new Promise<void>((done) => {
        probe.begin(() => {
          answered.push(index);
          done();
        });
      });
    await Promise.all(probes.map(ask));
    await sleep(20);
    t.deepEqual(answered.sort(), [0, 1]);
  });
}

test.serial(
  'an address that nobody has, on a network we are not on, is our own trouble or silence, never an answer',
  async (t) => {
    const probe = icmpProbe('192.0.2.77', 'lo');
    t.teardown(() => probe.close());
    const outcome = await Promise.race([new Promise<Outcome>((settle) => probe.begin(settle)), sleep(100)]);
    t.not(outcome?.kind, 'answer');
  },
);

test.serial('an interface that does not exist is named', (t) => {
  const error = t.throws(() => icmpProbe('127.0.0.1', 'nosuch0'), { instanceOf: EnvironmentError });
  t.regex(error.message, /^no raw socket for ICMP probes on nosuch0: /);
});

test.serial(
  'while this process is held up for half a second, again and again, a primary that answers has no miss',
  async (t) => {
    const probe = icmpProbe('127.0.0.1');
    const kinds = new Set<string>();
    let answers = 0;
    const stop = startSchedule(probe, { intervalMs: 20, timeoutMs: 20 }, systemClock, ({ outcome }) => {
      kinds.add(outcome.kind);
      if (outcome.kind === 'answer') answers++;
    });
    t.teardown(() => probe.close());
    t.teardown(stop);
    for (let round = 0; round < 4; round++) {
      // Wherever in the round of question and answer the process is stopped.
      await sleep(20 + 7 * round);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
    }
    await sleep(100);
    t.false(kinds.has('miss'));
    t.true(answers > 0);
  },
);
