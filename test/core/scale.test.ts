/** The window scale of a connection that was running before the daemon: what is guessed, and what windows say of the guess. */
import test from 'ava';
import fc from 'fast-check';
import { Flow, type FlowOptions } from '../support/flow';
import { World } from '../support/world';

const BUILDS = ['debug', 'release'] as const;
const GUESS = 7;

type Name = 'client' | 'primary';

for (const build of BUILDS) {
  /** Picked up: neither SYN is seen. */
  const running = (options: FlowOptions = {}): Flow => {
    const flow = new Flow(new World(build), options);
    flow.client.next = flow.primary.received = 7000;
    flow.primary.next = flow.client.received = 0xffff_ff00;
    flow.primary.ack({ window: 0 });
    return flow.client.ack({ window: 0 });
  };
  const shift = (flow: Flow, name: Name): number =>
    flow.record()[name === 'client' ? 'inbound' : 'outbound'].windowShift;
  /** `bytes` reach the end of that name, which then offers `window` units. */
  const takes = (flow: Flow, name: Name, bytes: number, window: number): Flow => {
    flow[name].peer.data(bytes, { window: 500 });
    return flow[name].ack({ window });
  };

  for (const name of ['client', 'primary'] as const) {
    test(`${build}: a ${name} that would take back what it has granted has a lower shift, down to none`, (t) => {
      const flow = running();
      takes(flow, name, 100, 65_000);
      // It keeps what it is sent, and its window is in bytes.
      for (let n = 1; n <= GUESS; n++) {
        takes(flow, name, 1000, 65_000 - 1000 * n);
        t.is(shift(flow, name), GUESS - n);
      }
      takes(flow, name, 1000, 65_000 - 1000 * (GUESS + 1));
      t.is(shift(flow, name), 0);
      takes(flow, name, 1000, 10);
      t.is(shift(flow, name), 0);
      t.is(shift(flow, name === 'client' ? 'primary' : 'client'), GUESS);
    });

    test(`${build}: the windows of a ${name} are read with the shift that is left`, (t) => {
      const flow = running();
      takes(flow, name, 100, 65_000);
      takes(flow, name, 1000, 64_000);
      const { inbound, outbound } = flow.record();
      const [own, other] = name === 'client' ? [inbound, outbound] : [outbound, inbound];
      t.is(own.maxWindow, 65_000 << (GUESS - 1));
      t.is(other.edge, (flow[name].received + (64_000 << (GUESS - 1))) >>> 0);
    });

    test(`${build}: of what a ${name} takes back less than a unit may be rounding`, (t) => {
      const unit = 1 << GUESS;
      for (const [taken, expected] of [
        [unit, GUESS],
        [unit - 1, GUESS - 1],
      ] as const) {
        const flow = running();
        takes(flow, name, 100, 1000);
        takes(flow, name, taken, 998);
        t.is(shift(flow, name), expected, `${taken}`);
      }
    });

    test(`${build}: windows of a ${name} that acknowledge nothing new prove nothing, whatever their order`, (t) => {
      const flow = running();
      takes(flow, name, 100, 1000);
      flow[name].ack({ window: 0 });
      flow[name].ack({ window: 1000 });
      flow[name].ack({ window: 0, ack: (flow[name].received - 50) >>> 0 });
      t.is(shift(flow, name), GUESS);
    });

    test(`${build}: a ${name} with any shift, whose windows close as it is sent bytes, is guessed none that is lower`, (t) => {
      const size = fc.integer({ min: 1, max: 1460 });
      const run = fc.array(fc.record({ size, reads: fc.integer({ min: 0, max: 3000 }) }), { maxLength: 40 });
      const property = fc.property(
        fc.integer({ min: 0, max: 14 }),
        fc.integer({ min: 2, max: 60_000 }),
        run,
        (own, units, steps) => {
          const flow = running();
          const buffer = units << own;
          let unread = 0;
          let edge = flow[name].received;
          const window = (): number => {
            // As a receiver does that rounds down, and grants again what rounding has taken back.
            const room = Math.max(buffer - unread, (edge - flow[name].received) | 0);
            const field = Math.min(room >>> own, 0xffff);
            const granted = (flow[name].received + (field << own)) >>> 0;
            if (((granted - edge) | 0) > 0) edge = granted;
            return field;
          };
          flow[name].ack({ window: window() });
          for (const { size: bytes, reads } of steps) {
            const length = Math.min(bytes, (edge - flow[name].received) | 0);
            if (length > 0) flow[name].peer.data(length, { window: 500 });
            unread = Math.max(0, unread + Math.max(length, 0) - reads);
            flow[name].ack({ window: window() });
          }
          return shift(flow, name) >= Math.min(own, GUESS);
        },
      );
      fc.assert(property, { numRuns: build === 'debug' ? 50 : 200 });
      t.pass();
    });
  }

  test(`${build}: a shift that was told is not doubted`, (t) => {
    const offers = { clientOffer: { windowShift: 5 }, primaryOffer: { windowShift: 6 } };
    const flow = new Flow(new World(build), offers).established();
    takes(flow, 'primary', 100, 65_000);
    takes(flow, 'primary', 1000, 10);
    t.is(shift(flow, 'primary'), 6);
    const halfSeen = new Flow(new World(build), offers).synSent();
    halfSeen.client.received = 5000;
    halfSeen.primary.next = 5000;
    halfSeen.client.ack();
    takes(halfSeen, 'client', 100, 65_000);
    takes(halfSeen, 'client', 1000, 10);
    t.is(shift(halfSeen, 'client'), 5);
  });

  for (const [own, expected] of [
    [undefined, 0],
    [2, 2],
    [7, 7],
    [9, 7],
  ] as const) {
    test(`${build}: a replica with ${own === undefined ? 'no window scale' : `the shift ${own}`} makes the guess ${expected}`, (t) => {
      const flow = running({ replicaOffer: { windowShift: own, window: 3000 } });
      flow.recovered();
      t.is(shift(flow, 'primary'), expected);
      // What the client is told is what it is thought to read it with.
      flow.client.data(10).take().stack.ack({ window: 3000 });
      t.is(flow.toClient().at(-1)?.window, (3000 << (own ?? 0)) >>> expected);
      // The replica's windows say nothing of the primary's.
      flow.client.data(1000).take().stack.ack({ window: 1 });
      t.is(shift(flow, 'primary'), expected);
    });
  }

  test(`${build}: where the server has told its shift, the replica's is none of its`, (t) => {
    const offers = {
      clientOffer: { windowShift: 3 },
      primaryOffer: { windowShift: 6 },
      replicaOffer: { windowShift: 2 },
    };
    const flow = new Flow(new World(build), offers).established();
    t.is(shift(flow.recovered(), 'primary'), 6);
  });
}
