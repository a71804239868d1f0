/** The guard over a memory port and a clock that moves when told: what it lets its host say, and when. */
import test from 'ava';
import { Guard, ROUND_MS } from '../../src/guard/guard';
import { claimedAddress } from '../../src/guard/neighbour';
import type { GuardedService } from '../../src/guard/silence';
import { type GuardEvent, type GuardState, TRANSITIONS } from '../../src/guard/transitions';
import { MemoryPort } from '../../src/sniffer/memory-port';
import { VirtualClock } from '../monitor/virtual-clock';
import { arpFrame, macBytes, neighborAdvertisementFrame } from '../support/frames';

const OWN = macBytes('02:00:00:00:00:0a');
const OTHER = '02:00:00:00:00:0b';
const V4 = '10.77.0.2';
const V6 = 'fd77::2';
const SERVICES: readonly GuardedService[] = [
  { address: V4, ports: [7000, 7001] },
  { address: V6, ports: [7000] },
  { address: V4, ports: [80] },
];

/** A host with a guard; everything about it can be changed at any time. */
class Host {
  readonly clock = new VirtualClock();
  port = new MemoryPort({ mac: OWN });
  carrier: number | undefined = 1;
  openFailure: Error | undefined;
  blockFailure: Error | undefined;
  /** What has been blocked, one entry for each change. */
  readonly blocks: string[][] = [];
  readonly log: string[] = [];
  local: readonly string[] = [V4, V6];
  readonly guard: Guard;

  constructor(services = SERVICES, isServing = false) {
    const say = (level: string) => (fields: object, message: string) => {
      this.log.push(`${level}: ${message}${'reason' in fields ? `: ${String(fields.reason)}` : ''}`);
    };
    this.guard = new Guard({
      services,
      isServing,
      clock: this.clock,
      openPort: () => (this.openFailure === undefined ? Promise.resolve(this.port) : Promise.reject(this.openFailure)),
      carrier: () => this.carrier,
      block: (blocked) => {
        if (this.blockFailure !== undefined) return Promise.reject(this.blockFailure);
        this.blocks.push(blocked.map(({ address, ports }) => `${address}:${ports.join(',')}`));
        return Promise.resolve();
      },
      isLocal: (address) => Promise.resolve(this.local.includes(address)),
      log: { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') },
    });
  }

  get blocked(): readonly string[] {
    return this.blocks.at(-1) ?? [];
  }

  /** Lets that many rounds begin, and everything come to rest in between. */
  async rounds(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      this.clock.run(ROUND_MS);
      await settled();
    }
  }

  async claims(address: string): Promise<void> {
    const isIpv6 = address.includes(':');
    this.port.deliver(
      isIpv6
        ? neighborAdvertisementFrame({
            srcMac: OTHER,
            src: address,
            dst: 'ff02::1',
            target: address,
            linkAddress: OTHER,
          })
        : arpFrame({ srcMac: OTHER, senderIp: address, operation: 2 }),
    );
    await settled();
  }

  /** Addresses this host has said to hold. */
  announced(): (string | undefined)[] {
    const other = macBytes(OTHER);
    return this.port.sent
      .map((frame) => claimedAddress(Buffer.from(frame), other))
      .filter((address) => address !== undefined);
  }
}

/** Everything that waits for nothing but promises has happened. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

const ALL = [`${V4}:7000,7001`, `${V6}:7000`, `${V4}:80`];
const ONLY_V4 = [`${V4}:7000,7001`, `${V4}:80`];

test('the table says for each state and event where it leads, and why', (t) => {
  const expected: Readonly<Record<GuardState, Readonly<Record<GuardEvent, GuardState>>>> = {
    // Blocked until known.
    asking: { claimed: 'silent', unclaimed: 'passing', deaf: 'asking' },
    // Only a silence that can be trusted ends it.
    silent: { claimed: 'silent', unclaimed: 'passing', deaf: 'silent' },
    // Blocked as soon as it is not known any more.
    passing: { claimed: 'silent', unclaimed: 'passing', deaf: 'asking' },
  };
  for (const [state, row] of Object.entries(TRANSITIONS)) {
    for (const [event, { to, reason }] of Object.entries(row)) {
      t.is(to, expected[state as GuardState][event as GuardEvent], `${state}, ${event}`);
      t.true(reason.length > 0);
    }
  }
});

test('silent from the first moment, passing when three probes have not been answered', async (t) => {
  const host = new Host();
  const started = host.guard.start();
  t.deepEqual(host.blocks, [ALL]);
  t.is(host.port.sent.length, 0);
  await started;
  t.is(host.port.sent.length, 2);
  await host.rounds(2);
  t.deepEqual(host.blocks, [ALL]);
  await host.rounds(1);
  t.deepEqual(host.blocks, [ALL, []]);
  t.deepEqual(host.announced(), [V4, V4, V6]);
  // It goes on asking, and says nothing more.
  await host.rounds(10);
  t.is(host.port.sent.length, 2 * 14 + 3);
  t.is(host.blocks.length, 2);
});

test('silent while another host answers, each address by itself', async (t) => {
  const host = new Host();
  await host.guard.start();
  for (let i = 0; i < 5; i++) {
    await host.claims(V4);
    await host.rounds(1);
  }
  t.deepEqual(host.blocked, ONLY_V4);
  t.deepEqual(host.announced(), [V6]);
  // Given up: three rounds without an answer, counted from the last one.
  await host.claims(V4);
  await host.rounds(3);
  t.deepEqual(host.blocked, ONLY_V4);
  await host.rounds(1);
  t.deepEqual(host.blocked, []);
  t.deepEqual(host.announced(), [V6, V4, V4]);
  t.deepEqual(
    host.log,
    [
      'info: another host holds the address: its connections have moved there: undefined',
      'info: nobody else answers for the address: undefined',
      'info: the other host has given the address up: undefined',
    ].map((line) => line.replace(': undefined', '')),
  );
});

test('an address that is taken is blocked at once, not with the next round', async (t) => {
  const host = new Host(SERVICES, true);
  await host.guard.start();
  t.deepEqual(host.blocks, [[]]);
  await host.rounds(5);
  t.deepEqual(host.blocks, [[]]);
  await host.claims(V6);
  t.deepEqual(host.blocked, [`${V6}:7000`]);
  t.deepEqual(host.announced(), []);
});

test('claims to other addresses, and what this host says itself, mean nothing', async (t) => {
  const host = new Host(SERVICES, true);
  await host.guard.start();
  await host.claims('10.77.0.3');
  await host.claims('fd77::3');
  host.port.deliver(arpFrame({ srcMac: '02:00:00:00:00:0a', senderIp: V4 }));
  await settled();
  t.deepEqual(host.blocks, [[]]);
});

test('a silence without a carrier, or with one that was lost in between, proves nothing', async (t) => {
  const host = new Host();
  host.carrier = undefined;
  await host.guard.start();
  await host.rounds(10);
  t.deepEqual(host.blocked, ALL);
  t.is(host.port.sent.length, 0);
  for (let change = 2; change < 10; change++) {
    host.carrier = change;
    await host.rounds(1);
  }
  t.deepEqual(host.blocked, ALL);
  await host.rounds(3);
  t.deepEqual(host.blocked, []);
});

test('a cable that was out while nobody else was heard: who is there is asked before a word is said', async (t) => {
  const host = new Host(SERVICES, true);
  await host.guard.start();
  await host.rounds(3);
  host.carrier = undefined;
  await host.rounds(1);
  t.deepEqual(host.blocked, ALL);
  host.carrier = 3;
  await host.rounds(2);
  await host.claims(V4);
  await host.rounds(2);
  t.deepEqual(host.blocked, ONLY_V4);
});

test('probes that are not sent are not unanswered', async (t) => {
  const host = new Host();
  host.port.full = true;
  await host.guard.start();
  await host.rounds(10);
  t.deepEqual(host.blocked, ALL);
  host.port.full = false;
  await host.rounds(4);
  t.deepEqual(host.blocked, []);
});

test('a process that did not run has heard nothing', async (t) => {
  const host = new Host(SERVICES, true);
  await host.guard.start();
  await host.rounds(3);
  host.clock.stall(10 * ROUND_MS);
  await settled();
  t.deepEqual(host.blocked, ALL);
  await host.rounds(3);
  t.deepEqual(host.blocked, []);
});

test('an interface that is not there yet is waited for, and said once', async (t) => {
  const host = new Host();
  host.openFailure = new Error('interface eth0: there is none of this name');
  await host.guard.start();
  await host.rounds(20);
  t.deepEqual(host.log, [
    'warn: the interface cannot be watched, this host stays silent: interface eth0: there is none of this name',
  ]);
  t.deepEqual(host.blocks, [ALL]);
  host.openFailure = undefined;
  await host.rounds(4);
  t.deepEqual(host.blocked, []);
});

test('an interface that is lost silences the host until it is back', async (t) => {
  const host = new Host(SERVICES, true);
  await host.guard.start();
  await host.rounds(2);
  host.openFailure = new Error('gone');
  host.port.fail('the interface is gone');
  await settled();
  t.deepEqual(host.blocked, ALL);
  t.false(host.port.open);
  await host.rounds(5);
  host.openFailure = undefined;
  host.port = new MemoryPort({ mac: OWN });
  await host.rounds(3);
  t.deepEqual(host.blocked, ALL);
  await host.rounds(1);
  t.deepEqual(host.blocked, []);
});

test('a firewall that refuses is asked again; at the start it is an error', async (t) => {
  const host = new Host(SERVICES, true);
  await host.guard.start();
  host.blockFailure = new Error('nft: out of memory');
  await host.claims(V4);
  await host.rounds(1);
  t.deepEqual(host.blocked, []);
  host.blockFailure = undefined;
  await host.rounds(1);
  t.deepEqual(host.blocked, ONLY_V4);

  const refused = new Host();
  refused.blockFailure = new Error('nft is not installed');
  await t.throwsAsync(refused.guard.start(), { message: 'nft is not installed' });
});

test('an address that this host does not have is not announced', async (t) => {
  const host = new Host();
  host.local = [V6];
  await host.guard.start();
  await host.rounds(3);
  t.deepEqual(host.blocked, []);
  t.deepEqual(host.announced(), [V6]);
});

test('a closed guard asks no more and leaves the host as it is', async (t) => {
  const host = new Host();
  await host.guard.start();
  await host.guard.close();
  await host.rounds(10);
  t.deepEqual(host.blocks, [ALL]);
  t.is(host.port.sent.length, 2);
  t.false(host.port.open);
});
