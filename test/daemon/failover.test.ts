/** The fail-over of one service, with a core that only remembers what it is told. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { ServiceState } from '../../src/core/names';
import type { ServiceRecord } from '../../src/core/records';
import { pauseBefore } from '../../src/daemon/announcements';
import { fromCoreMs, toCoreMs } from '../../src/daemon/clock';
import type { ServiceConfig } from '../../src/daemon/contract';
import { Failover } from '../../src/daemon/failover';
import { type Stage, type StageEvent, TRANSITIONS } from '../../src/daemon/failover-stages';
import { FenceError, fence } from '../../src/daemon/fence';

const SERVICE: ServiceConfig = {
  name: 'telemetry',
  address: '10.77.0.2',
  ports: [7000],
  replica: '10.77.0.3',
  recovery: 'resume',
  fenceTimeoutMs: 1000,
  probes: [{ kind: 'icmp', target: '10.77.0.2', intervalMs: 50, timeoutMs: 50, misses: 3 }],
};

const RECORD: ServiceRecord = {
  state: ServiceState.Normal,
  handshakeWindow: 64,
  tracked: 0,
  halfOpen: 0,
  recovering: 0,
  recovered: 0,
  proxied: 0,
  lost: 0,
  heardMs: undefined,
  unansweredMs: undefined,
  primaryMac: undefined,
  losses: [],
  divergences: 0,
};

/** A fail-over and all it does, in order. */
class Tester {
  readonly log: string[] = [];
  nowMs = 1000;
  recovering = 0;
  recovered = 0;
  lost = 0;
  /** Ends the fencing command. */
  endFence: (error?: Error) => void = () => undefined;
  readonly failover: Failover;

  constructor(service: Partial<ServiceConfig> = {}) {
    const say = (what: string) => void this.log.push(what);
    const quiet = () => undefined;
    this.failover = new Failover({ ...SERVICE, ...service }, 0, {
      core: {
        service: () => ({ ...RECORD, recovering: this.recovering, recovered: this.recovered, lost: this.lost }),
        recovering: () => this.recovering,
        setQuarantine: (_, on) => say(on ? 'hold' : 'release'),
        setServiceState: (_, state) => say(`state ${state}`),
      },
      pump: () => say('pump'),
      announce: () => say('announce'),
      watch: () => say(this.failover.isWaiting ? 'watch' : 'unwatch'),
      fence: () => {
        say('fence');
        return new Promise((done, failed) => {
          this.endFence = (error) => (error === undefined ? done() : failed(error));
        });
      },
      clock: () => this.nowMs,
      wallClock: () => Date.UTC(2026, 0, 1) + this.nowMs,
      log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
    });
  }

  suspect(): void {
    this.failover.onVerdict('suspect', { reason: 'icmp: 1 probe unanswered', sinceMs: this.nowMs - 50 });
  }

  dead(sinceMs = this.nowMs - 150): void {
    this.failover.onVerdict('dead', { reason: 'icmp: 3 probes unanswered', sinceMs });
  }

  alive(): void {
    this.failover.onVerdict('alive', { reason: 'icmp: answered', sinceMs: this.nowMs });
  }

  /** What was done since the last time. */
  done(): string[] {
    return this.log.splice(0);
  }
}

/** Lets settled promises have their consequences. */
const settle = () => new Promise((done) => setImmediate(done));
const TAKE_OVER = [`state ${ServiceState.Recovery}`, 'watch', 'pump'];
const SERVE = ['announce', `state ${ServiceState.Proxy}`];

test('a suspicion that comes to nothing holds RST and FIN back for its time', (t) => {
  const tester = new Tester();
  tester.alive();
  tester.suspect();
  t.is(tester.failover.stage, 'suspecting');
  tester.alive();
  t.deepEqual(tester.done(), ['hold', 'release']);
  t.is(tester.failover.stage, 'watching');
});

test('a dead primary without connections is replaced at once', (t) => {
  const tester = new Tester();
  t.teardown(() => tester.failover.close());
  tester.suspect();
  tester.dead();
  t.deepEqual(tester.done(), ['hold', 'hold', ...TAKE_OVER, ...SERVE, 'unwatch']);
  t.is(tester.failover.stage, 'serving');
  t.deepEqual(tester.failover.reports(), [
    {
      at: '2026-01-01T00:00:01.000Z',
      reason: 'icmp: 3 probes unanswered',
      detectionMs: 150,
      recoveryMs: 0,
      recovered: 0,
      lost: 0,
    },
  ]);
});

test('the address is taken when the last connection has arrived', (t) => {
  const tester = new Tester();
  t.teardown(() => tester.failover.close());
  tester.recovering = 2;
  tester.dead();
  t.deepEqual(tester.done(), ['hold', ...TAKE_OVER]);
  tester.recovering = 1;
  tester.recovered = 1;
  tester.nowMs += 4.5;
  tester.failover.progress();
  t.is(tester.failover.stage, 'recovering');
  tester.recovering = 0;
  tester.lost = 1;
  tester.failover.progress();
  t.deepEqual(tester.done(), [...SERVE, 'unwatch']);
  const [report] = tester.failover.reports();
  t.deepEqual([report?.recoveryMs, report?.recovered, report?.lost], [4.5, 1, 1]);
  t.is(report?.at, '2026-01-01T00:00:01.000Z');
});

test('the address is taken after 100 ms, and the late ones are counted until they are there', (t) => {
  const tester = new Tester();
  t.teardown(() => tester.failover.close());
  tester.recovering = 3;
  tester.dead();
  tester.done();
  tester.nowMs += 99;
  tester.failover.progress();
  t.deepEqual(tester.done(), []);
  tester.nowMs += 1;
  tester.recovered = 2;
  tester.failover.progress();
  t.deepEqual(tester.done(), SERVE);
  t.true(tester.failover.isWaiting);
  t.is(tester.failover.reports()[0]?.recovered, 2);
  tester.recovering = 0;
  tester.recovered = 3;
  tester.failover.progress();
  t.deepEqual(tester.done(), ['unwatch']);
  // What happens to connections later is no result of this fail-over.
  tester.lost = 1;
  const [report] = tester.failover.reports();
  t.deepEqual([report?.recoveryMs, report?.recovered, report?.lost], [100, 3, 0]);
});

test('counts of a fail-over begin where it begins', (t) => {
  const tester = new Tester();
  t.teardown(() => tester.failover.close());
  tester.recovered = 10;
  tester.lost = 5;
  tester.recovering = 1;
  tester.dead();
  tester.recovered = 11;
  tester.recovering = 0;
  tester.failover.progress();
  t.like(tester.failover.reports()[0], { recovered: 1, lost: 0 });
});

test('without a fence that holds there is no take-over, until the next verdict finds one', async (t) => {
  const tester = new Tester({ fence: 'power off' });
  t.teardown(() => tester.failover.close());
  tester.suspect();
  tester.dead();
  t.deepEqual(tester.done(), ['hold', 'hold', 'fence']);
  // While the command runs nothing else counts.
  tester.dead();
  tester.suspect();
  tester.alive();
  tester.dead();
  t.deepEqual(tester.done(), []);
  tester.endFence(new Error('no power'));
  await settle();
  t.is(tester.failover.stage, 'suspecting');
  t.is(tester.failover.refused, 'no power');
  t.deepEqual(tester.done(), []);

  tester.nowMs += 150;
  tester.dead(850);
  t.deepEqual(tester.done(), ['hold', 'fence']);
  tester.endFence();
  await settle();
  t.deepEqual(tester.done(), [...TAKE_OVER, ...SERVE, 'unwatch']);
  t.is(tester.failover.refused, undefined);
  t.is(tester.failover.reports()[0]?.detectionMs, 300);
});

test('a primary that answers while its fencing fails is watched again', async (t) => {
  const tester = new Tester({ fence: 'power off' });
  tester.dead();
  tester.alive();
  tester.done();
  tester.endFence(new Error('no power'));
  await settle();
  t.is(tester.failover.stage, 'watching');
  t.deepEqual(tester.done(), ['release']);
});

test('by hand: a living primary is taken over, and who asked is told', async (t) => {
  const tester = new Tester();
  t.teardown(() => tester.failover.close());
  tester.alive();
  tester.recovering = 1;
  const order = tester.failover.order();
  t.deepEqual(tester.done(), ['hold', ...TAKE_OVER]);
  const second = tester.failover.order();
  tester.recovering = 0;
  tester.recovered = 1;
  tester.nowMs += 3;
  tester.failover.progress();
  t.like(await order, { reason: 'by hand', detectionMs: 0, recoveryMs: 3, recovered: 1 });
  t.deepEqual(await second, await order);
  await t.throwsAsync(tester.failover.order(), { code: 'MIGWARE_FAILOVER', message: /served by its replica already/ });
});

test('by hand: a fence that fails is told to who asked, and the living primary goes on', async (t) => {
  const tester = new Tester({ fence: 'power off' });
  tester.alive();
  const order = tester.failover.order();
  tester.endFence(new FenceError('fencing failed'));
  await t.throwsAsync(order, { code: 'MIGWARE_FENCE' });
  t.is(tester.failover.stage, 'watching');
  t.deepEqual(tester.done(), ['hold', 'fence', 'release']);
});

test('a primary that comes back to a served address changes nothing', (t) => {
  const tester = new Tester();
  t.teardown(() => tester.failover.close());
  tester.dead();
  tester.done();
  tester.alive();
  tester.suspect();
  tester.dead();
  t.deepEqual(tester.done(), []);
  t.is(tester.failover.reports().length, 1);
});

test('a daemon that stops takes nothing over any more', async (t) => {
  const tester = new Tester({ fence: 'power off' });
  tester.dead();
  const order = tester.failover.order();
  tester.done();
  tester.failover.close();
  tester.endFence();
  await t.throwsAsync(order, { message: 'the daemon stops' });
  await settle();
  tester.dead();
  t.deepEqual(tester.done(), []);
});

test('every event in every stage', (t) => {
  // Rows as in the file's own table; '.' stays.
  const table: Readonly<Record<Stage, string>> = {
    watching: '. suspecting fencing fencing . . .',
    suspecting: 'watching . fencing fencing . . .',
    fencing: '. . . . recovering suspecting .',
    recovering: '. . . . . . serving',
    serving: '. . . . . . .',
  };
  const events: readonly StageEvent[] = ['alive', 'suspect', 'dead', 'order', 'fenced', 'refused', 'settled'];
  for (const [stage, row] of Object.entries(table)) {
    const found = events.map((event) => TRANSITIONS[stage as Stage][event]?.next ?? '.');
    t.is(found.join(' '), row, stage);
  }
});

test('a fencing command is run with the service in its environment, and judged by its exit code', async (t) => {
  await fence(SERVICE);
  await fence({ ...SERVICE, fence: 'test "$MIGWARE_SERVICE $MIGWARE_ADDRESS" = "telemetry 10.77.0.2"' });
  await t.throwsAsync(fence({ ...SERVICE, fence: 'echo no power >&2; sleep 0; exit 7' }), {
    instanceOf: FenceError,
    message: /^fencing of telemetry failed \(exit code 7(: no power)?\)$/,
  });
  await t.throwsAsync(fence({ ...SERVICE, fence: 'kill -TERM $$' }), { message: /SIGTERM/ });
});

test('a fencing command that hangs is killed, with all that it has started', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'migware-fence-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const command = `sleep 1000 & echo $! > ${directory}/pid; wait; true`;
  await t.throwsAsync(fence({ ...SERVICE, fence: command, fenceTimeoutMs: 300 }), { message: /no end after 300 ms/ });
  const pid = Number(readFileSync(join(directory, 'pid'), 'utf8'));
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch (error) {
      t.is((error as NodeJS.ErrnoException).code, 'ESRCH');
      return;
    }
    await settle();
  }
});

test('what a fencing command leaves running does not keep it from ending', async (t) => {
  await t.notThrowsAsync(fence({ ...SERVICE, fence: 'sleep 5 & exit 0' }));
});

test('announcements come often, then once a minute', (t) => {
  const atMs: number[] = [];
  for (let number = 1, at = 0; number <= 9; number++) atMs.push((at += pauseBefore(number)));
  t.deepEqual(atMs, [100, 300, 700, 1500, 5000, 10_000, 30_000, 90_000, 150_000]);
});

test('the core’s clock wraps, the daemon’s does not', (t) => {
  const day = 86_400_000;
  for (const nowMs of [5, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 7.25, 50 * day]) {
    t.is(toCoreMs(nowMs), Math.floor(nowMs) % 2 ** 32);
    t.is(fromCoreMs(toCoreMs(nowMs), nowMs), nowMs);
    if (nowMs > 60) t.is(fromCoreMs(toCoreMs(nowMs - 60), nowMs), nowMs - 60);
  }
});
