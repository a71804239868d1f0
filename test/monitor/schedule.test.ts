import test from 'ava';
import { ANSWER } from '../../src/monitor/probe';
import type { Outcome, Probe } from '../../src/monitor/probe';
import { startSchedule } from '../../src/monitor/schedule';
import { VirtualClock } from './virtual-clock';

/** A probe whose answers are the test's, with everything that was asked and settled. */
function set(timing = { intervalMs: 50, timeoutMs: 50 }) {
  const clock = new VirtualClock();
  const asked: { atMs: number; settle: (outcome: Outcome) => void; givenUp: boolean }[] = [];
  const settled: string[] = [];
  const probe: Probe = {
    kind: 'icmp',
    target: 'scripted',
    begin(settle) {
      const attempt = { atMs: clock.now(), settle, givenUp: false };
      asked.push(attempt);
      return () => (attempt.givenUp = true);
    },
    close() {},
  };
  const stop = startSchedule(probe, timing, clock, ({ outcome, sentMs, atMs }) => {
    settled.push(`${outcome.kind} of ${sentMs} at ${atMs}`);
  });
  const answer = (index: number, outcome: Outcome = ANSWER) => asked[index]?.settle(outcome);
  return { clock, asked, settled, answer, stop };
}

test('asks each interval, whatever became of the attempt before', (t) => {
  const { clock, asked } = set({ intervalMs: 50, timeoutMs: 120 });
  clock.run(200);
  t.deepEqual(
    asked.map(({ atMs }) => atMs),
    [0, 50, 100, 150, 200],
  );
});

test('three unanswered attempts are three misses after three intervals', (t) => {
  const { clock, settled } = set();
  clock.run(150);
  t.deepEqual(settled, ['miss of 0 at 50', 'miss of 50 at 100', 'miss of 100 at 150']);
});

test('an answer settles its attempt, and a later miss is its own', (t) => {
  const { clock, settled, answer } = set();
  clock.run(10);
  answer(0);
  clock.run(100);
  t.deepEqual(settled, ['answer of 0 at 10', 'miss of 50 at 100']);
});

test('an answer to a later attempt answers the earlier ones', (t) => {
  const { clock, asked, settled, answer } = set({ intervalMs: 50, timeoutMs: 200 });
  clock.run(110);
  answer(1);
  t.deepEqual(settled, ['answer of 50 at 110']);
  t.deepEqual(
    asked.map(({ givenUp }) => givenUp),
    [true, false, false],
  );
  answer(0);
  clock.run(150);
  t.deepEqual(settled, ['answer of 50 at 110'], 'the obsolete attempt says nothing any more');
});

test('what has arrived is read before silence is judged', (t) => {
  const { clock, settled, answer } = set();
  clock.stall(0);
  clock.stall(60, () => answer(0));
  t.deepEqual(settled, ['answer of 0 at 60']);
});

test('a stall of our own is no miss', (t) => {
  const { clock, settled } = set();
  clock.run(20);
  clock.stall(500);
  t.deepEqual(settled, ['void of 0 at 520']);
  clock.run(49);
  t.deepEqual(settled, ['void of 0 at 520'], 'the attempt made after the stall is still waited for');
  clock.run(1);
  t.deepEqual(settled, ['void of 0 at 520', 'miss of 520 at 570'], 'and is a miss if nothing comes');
});

test('an attempt that was excused can still be answered', (t) => {
  const { clock, settled, answer } = set({ intervalMs: 50, timeoutMs: 200 });
  clock.run(20);
  clock.stall(150, () => answer(0));
  t.deepEqual(settled, ['answer of 0 at 170']);
});

test('being late by less than half a timeout excuses nothing', (t) => {
  const { clock, settled } = set();
  clock.run(49);
  clock.stall(20);
  t.deepEqual(settled, ['miss of 0 at 69']);
});

test('attempts missed in a stall are not made up for', (t) => {
  const { clock, asked } = set();
  clock.run(0);
  clock.stall(500);
  clock.run(100);
  t.deepEqual(
    asked.map(({ atMs }) => atMs),
    [0, 500, 550, 600],
  );
});

test('a probe may settle at once', (t) => {
  const clock = new VirtualClock();
  const settled: string[] = [];
  const probe: Probe = {
    kind: 'tcp',
    target: 'refusing',
    begin(settle) {
      settle({ kind: 'miss', why: 'connection refused' });
      return () => t.fail('what is settled is not given up');
    },
    close() {},
  };
  startSchedule(probe, { intervalMs: 100, timeoutMs: 100 }, clock, ({ sentMs, atMs }) => {
    settled.push(`${sentMs} at ${atMs}`);
  });
  clock.run(250);
  t.deepEqual(settled, ['0 at 0', '100 at 100', '200 at 200']);
});

test('nothing is asked or settled after the end', (t) => {
  const { clock, asked, settled, answer, stop } = set();
  clock.run(20);
  stop();
  t.true(asked[0]?.givenUp);
  answer(0);
  clock.run(500);
  t.is(asked.length, 1);
  t.deepEqual(settled, []);
});
