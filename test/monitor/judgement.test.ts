import test from 'ava';
import { firstJudgement, judge } from '../../src/monitor/judgement';
import type { Rules } from '../../src/monitor/judgement';

const ICMP: Rules = { deadWhen: 'any', probes: [{ label: 'icmp', limit: 3, timeoutMs: 50 }] };
const TWO = {
  probes: [
    { label: 'icmp', limit: 2, timeoutMs: 50 },
    { label: 'tcp', limit: 2, timeoutMs: 50 },
  ],
};

/** One service under judgement, told what happens step by step; each step returns what the daemon is told. */
class Court {
  #judgement;
  heardMs: number | undefined;
  unansweredMs: number | undefined;
  linkUp = true;

  constructor(readonly rules: Rules) {
    this.#judgement = firstJudgement(rules);
  }

  get verdict() {
    return this.#judgement.verdict;
  }

  get reason() {
    return this.#judgement.reason;
  }

  get misses() {
    return this.#judgement.series.map(({ misses }) => misses);
  }

  answer(atMs: number, probe = 0) {
    return this.#step(probe, { outcome: { kind: 'answer' }, sentMs: atMs, atMs });
  }

  /** Settled after the timeout of 50 ms. */
  miss(sentMs: number, probe = 0, why = 'unanswered') {
    return this.#step(probe, { outcome: { kind: 'miss', why }, sentMs, atMs: sentMs + 50 });
  }

  nothing(sentMs: number) {
    return this.#step(0, { outcome: { kind: 'void', why: 'held up' }, sentMs, atMs: sentMs + 50 });
  }

  #step(probe: number, settled: Parameters<typeof judge>[3]) {
    const { heardMs, unansweredMs, linkUp } = this;
    const { judgement, told } = judge(this.rules, this.#judgement, probe, settled, { heardMs, unansweredMs, linkUp });
    this.#judgement = judgement;
    return told && `${told.verdict} since ${told.detail.sinceMs}: ${told.detail.reason}`;
  }
}

function alive(rules = ICMP): Court {
  const court = new Court(rules);
  rules.probes.forEach((_, probe) => court.answer(0, probe));
  return court;
}

test('the first answer makes a primary alive, and only a change is told', (t) => {
  const court = new Court(ICMP);
  t.is(court.verdict, 'suspect');
  t.is(court.answer(5), 'alive since 5: icmp: answered');
  t.is(court.answer(55), undefined);
});

test('alive, suspect at the first miss, dead at the third', (t) => {
  const court = alive();
  t.is(court.miss(100), 'suspect since 100: icmp: 1 probe unanswered');
  t.is(court.miss(150), undefined);
  t.is(court.miss(200), 'dead since 100: icmp: 3 probes unanswered');
  t.deepEqual(court.misses, [3]);
});

test('an answer ends suspicion and its series', (t) => {
  const court = alive();
  court.miss(100);
  court.miss(150);
  t.is(court.answer(210), 'alive since 210: icmp: answered');
  t.is(court.miss(250), 'suspect since 250: icmp: 1 probe unanswered');
  t.is(court.miss(300), undefined);
  t.is(court.verdict, 'suspect');
});

test('a void attempt neither ends a series nor lengthens it', (t) => {
  const court = alive();
  court.miss(100);
  court.miss(150);
  t.is(court.nothing(200), undefined);
  t.is(court.verdict, 'suspect');
  t.is(court.miss(250), 'dead since 100: icmp: 3 probes unanswered');
});

test('dead is told again after each further series, and an answer revives', (t) => {
  const court = alive();
  [100, 150, 200].forEach((sentMs) => court.miss(sentMs));
  t.is(court.miss(250), undefined);
  t.is(court.miss(300), undefined);
  t.is(court.miss(350), 'dead since 250: icmp: 3 probes unanswered');
  t.deepEqual(court.misses, [6]);
  t.is(court.verdict, 'dead');
  t.is(court.answer(410), 'alive since 410: icmp: answered');
});

test('a primary whose frames are seen during the series is not dead', (t) => {
  const court = alive();
  court.miss(100);
  court.miss(150);
  court.heardMs = 180;
  t.is(court.miss(200), undefined, 'the series begins anew');
  t.is(court.verdict, 'suspect');
  t.is(court.miss(250), undefined);
  t.is(court.miss(300), 'dead since 200: icmp: 3 probes unanswered');
});

test('frames that were on their way when the primary fell silent are no sign of life', (t) => {
  const court = alive();
  court.heardMs = 120; // less than half a timeout after the first unanswered probe was sent at 100
  court.miss(100);
  court.miss(150);
  t.is(court.miss(200), 'dead since 100: icmp: 3 probes unanswered');
});

test('with a limit of one, a frame in the second half of the timeout saves the primary', (t) => {
  const rules: Rules = { deadWhen: 'any', probes: [{ label: 'icmp', limit: 1, timeoutMs: 50 }] };
  const quiet = alive(rules);
  t.is(quiet.miss(100), 'dead since 100: icmp: 1 probe unanswered');
  const heard = alive(rules);
  heard.heardMs = 130;
  t.is(heard.miss(100), 'suspect since 100: icmp: 1 probe unanswered');
});

/** A primary whose observer has lost its link, and has it back. */
function deafened(): Court {
  const court = alive();
  court.heardMs = 90;
  court.unansweredMs = 95;
  court.linkUp = false;
  [100, 150, 200, 250].forEach((sentMs) => court.miss(sentMs));
  court.linkUp = true;
  return court;
}

test('with our own link down nobody else is dead', (t) => {
  const court = alive();
  court.linkUp = false;
  t.is(court.miss(100), "suspect since 100: icmp: 1 probe unanswered, but this host's own link is down");
  [150, 200, 250, 300, 350].forEach((sentMs) => t.is(court.miss(sentMs), undefined));
  t.is(court.verdict, 'suspect');
});

test('nor when it is up again, until something shows that frames get through', (t) => {
  const court = deafened();
  for (let sentMs = 300; sentMs < 1000; sentMs += 50) court.miss(sentMs);
  t.is(court.verdict, 'suspect');
  t.is(court.reason, "icmp: 18 probes unanswered, but nothing has been heard since this host's own link was down");
});

test('an answer shows it', (t) => {
  const court = deafened();
  t.is(court.answer(410), 'alive since 410: icmp: answered');
  court.miss(450);
  court.miss(500);
  t.is(court.miss(550), 'dead since 450: icmp: 3 probes unanswered');
});

test('so does a frame of the primary, even its last', (t) => {
  const court = deafened();
  court.heardMs = 310;
  court.miss(300);
  court.miss(350);
  t.is(court.miss(400), 'dead since 300: icmp: 3 probes unanswered');
});

test('and a client to whom nobody answers', (t) => {
  const court = deafened();
  court.miss(300);
  court.unansweredMs = 370;
  court.miss(350);
  court.miss(400);
  t.is(court.miss(450), 'dead since 350: icmp: 3 probes unanswered');
});

test('a primary that was never seen is never dead', (t) => {
  const court = new Court(ICMP);
  for (let sentMs = 0; sentMs < 1000; sentMs += 50) t.is(court.miss(sentMs), undefined);
  t.is(court.verdict, 'suspect');
  court.miss(1000);
  t.is(court.reason, 'icmp: 21 probes unanswered, but it has never been seen alive');
});

test('a primary that was only ever heard can die', (t) => {
  const court = new Court(ICMP);
  court.heardMs = 10;
  court.miss(100);
  court.miss(150);
  t.is(court.miss(200), 'dead since 100: icmp: 3 probes unanswered');
});

test('any: one probe that reaches its limit is enough', (t) => {
  const court = alive({ ...TWO, deadWhen: 'any' });
  t.is(court.miss(100, 1, 'connection refused'), 'suspect since 100: tcp: 1 probe failed (connection refused)');
  t.is(court.answer(160, 0), undefined, 'an echo does not speak for the connection');
  t.is(court.verdict, 'suspect');
  t.is(court.miss(200, 1, 'connection refused'), 'dead since 100: tcp: 2 probes failed (connection refused)');
  t.is(court.answer(260, 0), undefined, 'nor does it revive');
  t.is(court.verdict, 'dead');
  t.is(court.answer(300, 1), 'alive since 300: tcp: answered');
});

test('all: every probe has to reach its limit', (t) => {
  const court = alive({ ...TWO, deadWhen: 'all' });
  court.miss(100, 1);
  court.miss(150, 1);
  court.miss(200, 1);
  t.is(court.verdict, 'suspect');
  court.miss(250, 0);
  t.is(court.miss(300, 0), 'dead since 100: icmp: 2 probes unanswered; tcp: 3 probes unanswered');
});

test('all: a frame seen in the longer series saves the primary', (t) => {
  const court = alive({ ...TWO, deadWhen: 'all' });
  court.miss(100, 1);
  court.miss(150, 1);
  court.heardMs = 220;
  court.miss(250, 0);
  court.miss(300, 0);
  t.is(court.verdict, 'suspect');
});
