/**
 * What an observer may believe: a segment outside a window check changes no byte of the record, one at its limit moves
 * it. Forged segments are what an attacker off the path can send: right addresses and ports, guessed numbers.
 */
import test from 'ava';
import { Reason, TcpState } from '../../assembly/abi/codes';
import { type End, Flow, type FlowOptions } from '../support/flow';
import type { TcpOptions } from '../support/frames';
import { World } from '../support/world';

const BUILDS = ['debug', 'release'] as const;

/** Initial numbers: plain, and so that every number of the test wraps. */
const PLACES: readonly (readonly [string, FlowOptions])[] = [
  ['', {}],
  [', across the wrap', { clientOffer: { isn: 0xffffffc0 }, primaryOffer: { isn: 0xffffff00 } }],
];

/** Window of both ends in these tests. */
const WINDOW = 64_000;
/** What an end may be behind (RFC 9293 has no such limit; conntrack's, for ends without window scaling). */
const BEHIND = 66_000;

interface Probe {
  readonly name: string;
  readonly end: 'client' | 'primary';
  readonly flags: string;
  readonly at: (end: End) => Partial<TcpOptions>;
  /** None: the record moves. */
  readonly reason: Reason;
}

const seq = (end: End, offset: number): number => (end.next + offset) >>> 0;
const ack = (end: End, offset: number): number => (end.received + offset) >>> 0;

const BOTH: readonly ('client' | 'primary')[] = ['client', 'primary'];

const PROBES: readonly Probe[] = BOTH.flatMap((end): Probe[] => [
  // I: seq <= edge
  {
    name: 'data at the edge of the window',
    end,
    flags: 'PA',
    at: (e) => ({ seq: seq(e, WINDOW), payload: 'x' }),
    reason: Reason.None,
  },
  {
    name: 'data beyond the window',
    end,
    flags: 'PA',
    at: (e) => ({ seq: seq(e, WINDOW + 1), payload: 'x' }),
    reason: Reason.SeqAboveWindow,
  },
  {
    name: 'data half the number space away',
    end,
    flags: 'PA',
    at: (e) => ({ seq: seq(e, 0x7fff0000), payload: 'x' }),
    reason: Reason.SeqAboveWindow,
  },
  {
    name: 'a FIN beyond the window',
    end,
    flags: 'FA',
    at: (e) => ({ seq: seq(e, WINDOW + 1) }),
    reason: Reason.SeqAboveWindow,
  },
  // II: end >= what was sent - window
  {
    name: 'an old copy that ends within a window',
    end,
    flags: 'PA',
    at: (e) => ({ seq: seq(e, -BEHIND - 101), payload: 'x'.repeat(100) }),
    reason: Reason.None,
  },
  {
    name: 'data older than a window',
    end,
    flags: 'PA',
    at: (e) => ({ seq: seq(e, -BEHIND - 102), payload: 'x'.repeat(100) }),
    reason: Reason.SeqBelowWindow,
  },
  {
    name: 'a FIN older than a window',
    end,
    flags: 'FA',
    at: (e) => ({ seq: seq(e, -BEHIND - 3) }),
    reason: Reason.SeqBelowWindow,
  },
  // III: ack <= what was granted
  {
    name: 'an acknowledgement of all that was granted',
    end,
    flags: 'A',
    at: (e) => ({ ack: ack(e, WINDOW) }),
    reason: Reason.None,
  },
  {
    name: 'an acknowledgement beyond what was granted',
    end,
    flags: 'A',
    at: (e) => ({ ack: ack(e, WINDOW + 1) }),
    reason: Reason.AckAboveWindow,
  },
  // IV: ack >= what was acknowledged - window
  {
    name: 'an old acknowledgement within a window',
    end,
    flags: 'A',
    at: (e) => ({ ack: ack(e, -BEHIND - 1) }),
    reason: Reason.None,
  },
  {
    name: 'an acknowledgement older than a window',
    end,
    flags: 'A',
    at: (e) => ({ ack: ack(e, -BEHIND - 2) }),
    reason: Reason.AckBelowWindow,
  },
  // RFC 5961 3.2
  { name: 'a RST at the expected number', end, flags: 'R', at: () => ({ ack: 0 }), reason: Reason.None },
  { name: 'a RST one above', end, flags: 'R', at: (e) => ({ seq: seq(e, 1), ack: 0 }), reason: Reason.RstOutOfWindow },
  { name: 'a RST one below', end, flags: 'R', at: (e) => ({ seq: seq(e, -1), ack: 0 }), reason: Reason.RstOutOfWindow },
  {
    name: 'a RST with an acknowledgement one above',
    end,
    flags: 'RA',
    at: (e) => ({ seq: seq(e, 1) }),
    reason: Reason.RstOutOfWindow,
  },
  {
    name: 'a RST at the edge of the window',
    end,
    flags: 'R',
    at: (e) => ({ seq: seq(e, WINDOW), ack: 0 }),
    reason: Reason.RstOutOfWindow,
  },
]);

for (const build of BUILDS) {
  for (const [place, options] of PLACES) {
    for (const { name, end, flags, at, reason } of PROBES) {
      test(`${build}: ${end}: ${name}${place}`, (t) => {
        const flow = new Flow(new World(build), options).established();
        const sender = end === 'client' ? flow.client : flow.primary;
        const before = flow.bytes();
        flow.world.now += 7;
        sender.segment(flags, { seq: sender.next, ...at(sender) });
        const refused = flow.world.refused(reason);
        if (reason === Reason.None) {
          t.deepEqual(flow.world.refusals(), new Array<number>(flow.world.refusals().length).fill(0));
          t.notDeepEqual(flow.bytes(), before);
          t.is(flow.record().seenMs, flow.world.now);
        } else {
          t.is(refused, 1);
          t.deepEqual(flow.bytes(), before);
        }
      });
    }

    test(`${build}: a RST at the last acknowledgement is believed while data is on its way${place}`, (t) => {
      for (const who of BOTH) {
        const flow = new Flow(new World(build), options).established();
        const sender = who === 'client' ? flow.client : flow.primary;
        const first = sender.next;
        sender.data(1000);
        t.is(sender.rst({ seq: (first + 500) >>> 0 }).record().state, TcpState.Established);
        t.is(sender.rst({ seq: first }).record().state, TcpState.Closed);
      }
    });

    test(`${build}: a SYN for a live connection changes nothing but what a SYN-ACK would need${place}`, (t) => {
      const flow = new Flow(new World(build), options).established();
      const before = flow.record();
      flow.client.syn({ seq: (flow.client.offer.isn + 12_345) >>> 0 });
      t.deepEqual(flow.record(), before);
      t.is(flow.world.refused(Reason.SynOnLive), 1);
      // And the connection goes on as if nothing had happened.
      flow.client.next = (flow.client.offer.isn + 1) >>> 0;
      t.is(flow.client.data(10).record().inbound.end, flow.client.next);
    });

    test(`${build}: a refusal of the SYN is believed only when it acknowledges it${place}`, (t) => {
      const flow = new Flow(new World(build), options).synSent();
      const before = flow.bytes();
      flow.primary.segment('RA', { seq: 0, ack: flow.client.next + 1 });
      flow.primary.segment('RA', { seq: 0, ack: flow.client.offer.isn });
      t.deepEqual(flow.bytes(), before);
      t.is(flow.world.refused(Reason.RstOutOfWindow), 2);
      t.is(flow.primary.segment('RA', { seq: 0, ack: flow.client.next }).record().state, TcpState.Closed);
    });

    test(`${build}: a SYN-ACK that acknowledges another SYN is refused${place}`, (t) => {
      const flow = new Flow(new World(build), options).synSent();
      const before = flow.bytes();
      flow.primary.synAck({ ack: (flow.client.next + 1) >>> 0 });
      flow.primary.synAck({ ack: flow.client.offer.isn });
      t.deepEqual(flow.bytes(), before);
      t.is(flow.world.refused(Reason.AckAboveWindow), 2);
    });

    test(`${build}: a forged SYN-ACK for an established connection changes nothing${place}`, (t) => {
      const flow = new Flow(new World(build), options).established();
      const before = flow.bytes();
      flow.primary.segment('SA', { seq: 77, ack: flow.client.next });
      t.deepEqual(flow.bytes(), before);
      t.is(flow.world.refused(Reason.UnsolicitedSynAck), 1);
    });
  }

  test(`${build}: windows are read with the agreed scale`, (t) => {
    const scaled = { clientOffer: { windowShift: 7, window: 1000 }, primaryOffer: { windowShift: 3, window: 500 } };
    const flow = new Flow(new World(build), scaled).established();
    const { inbound, outbound } = flow.primary.ack().record();
    t.is(inbound.edge, flow.client.next + 500 * 8);
    t.is(outbound.edge, flow.primary.next + 1000 * 128);
    t.is(flow.client.data('x', { seq: flow.client.next + 4001 }).world.refused(Reason.SeqAboveWindow), 1);
    t.is(flow.client.data('x', { seq: flow.client.next + 4000 }).world.refused(Reason.SeqAboveWindow), 1);
  });

  test(`${build}: an end may be behind by the largest window of the other, when that is more`, (t) => {
    const window = 1000 * 128;
    for (const who of BOTH) {
      const large = { windowShift: 7, window: 1000 };
      const small = { windowShift: 7, window: 10 };
      const offers = (mine: typeof large, theirs: typeof large): FlowOptions =>
        who === 'client' ? { clientOffer: mine, primaryOffer: theirs } : { clientOffer: theirs, primaryOffer: mine };
      const probe = (options: FlowOptions, overrides: (end: End) => Partial<TcpOptions>): Flow => {
        const flow = new Flow(new World(build), options).established();
        flow.primary.ack().client.ack();
        const sender = who === 'client' ? flow.client : flow.primary;
        return sender.segment('A', { seq: sender.next, ...overrides(sender) });
      };
      const old = (offset: number) => (end: End) => ({ seq: seq(end, offset) });
      const slow = (offset: number) => (end: End) => ({ ack: ack(end, offset) });
      t.is(probe(offers(small, large), old(-window - 1)).world.refused(Reason.SeqBelowWindow), 0);
      t.is(probe(offers(small, large), old(-window - 2)).world.refused(Reason.SeqBelowWindow), 1);
      t.is(probe(offers(large, small), slow(-window - 1)).world.refused(Reason.AckBelowWindow), 0);
      t.is(probe(offers(large, small), slow(-window - 2)).world.refused(Reason.AckBelowWindow), 1);
    }
  });

  test(`${build}: what the tap has not seen may be acknowledged as far as the largest window reaches`, (t) => {
    const flow = new Flow(new World(build)).established();
    // The window was closed since: the edge stays, and from what the server has sent it is the largest that counts.
    flow.primary.data(1000);
    flow.client.ack({ window: 0 });
    t.is(flow.client.ack({ ack: flow.client.received + WINDOW + 1 }).world.refused(Reason.AckAboveWindow), 1);
    t.is(flow.client.ack({ ack: flow.client.received + WINDOW }).world.refused(Reason.AckAboveWindow), 1);
    t.is(flow.record().outbound.end, flow.client.received + WINDOW);
  });

  test(`${build}: a window scale that only one side offered is not used`, (t) => {
    const flow = new Flow(new World(build), { clientOffer: { windowShift: 7, window: 1000 } }).established();
    t.is(flow.record().outbound.edge, flow.primary.next + 1000);
  });

  test(`${build}: the window of a SYN is never scaled (RFC 7323 2.2)`, (t) => {
    const scaled = { clientOffer: { windowShift: 7, window: 1000 }, primaryOffer: { windowShift: 3, window: 500 } };
    const flow = new Flow(new World(build), scaled).synReceived();
    t.is(flow.record().outbound.edge, flow.primary.next + 1000);
    t.is(flow.record().inbound.edge, flow.client.next + 500);
  });

  test(`${build}: a connection picked up while running has no windows to check`, (t) => {
    const flow = new Flow(new World(build)).client.data(10);
    t.is(flow.client.data('x', { seq: flow.client.next + 1_000_000 }).world.refused(Reason.SeqAboveWindow), 0);
    t.is(flow.record().state, TcpState.Established);
  });

  test(`${build}: the latest acknowledgement is never too old, however much the server has sent since`, (t) => {
    // No window is known of a connection that runs already: it may have sent more than the largest that was seen.
    const flow = new Flow(new World(build)).client.data(10, { window: 10 });
    const ack = flow.client.received;
    for (let i = 0; i < 5; i++) flow.primary.data(20_000);
    flow.client.ack({ ack, window: 10 });
    t.is(flow.world.refused(Reason.AckBelowWindow), 0);
    flow.client.ack({ ack: ack - 1, window: 10 });
    t.is(flow.world.refused(Reason.AckBelowWindow), 1);
  });

  test(`${build}: a damaged segment changes nothing`, (t) => {
    for (const flags of ['PA', 'FA', 'R', 'S'] as const) {
      const flow = new Flow(new World(build)).established();
      const before = flow.bytes();
      flow.client.segment(flags, { payload: flags === 'PA' ? 'hello' : '', checksum: 0x1234, seq: flow.client.next });
      t.deepEqual(flow.bytes(), before, flags);
      t.is(flow.world.refused(Reason.BadTcpChecksum), 1);
    }
  });
}
