/** What a replica says beside what the primary said: where it differs, when that is noticed, and what follows. */
import test from 'ava';
import { Counter, Loss, Phase, Port, Risk, ServiceState } from '../../assembly/abi/codes';
import {
  SERVICE_DIVERGENCES,
  SERVICE_FLAG_DIVERGED_CONTINUE,
  SERVICE_FLAG_DIVERGED_RESET,
  SERVICE_FLAG_REPLAY,
  SERVICE_FLAG_SHADOW,
  SERVICE_RECOVERING,
  TX_DESC_BYTES,
  TX_DESC_PORT,
} from '../../assembly/abi/layout';
import { Flow, type FlowOptions } from '../support/flow';
import { nop } from '../support/frames';
import { World, type WorldOptions } from '../support/world';

const BUILDS = ['debug', 'release'] as const;
type Build = (typeof BUILDS)[number];

const make = (build: Build, flags: number, options: FlowOptions = {}, world: WorldOptions = {}): Flow =>
  new Flow(new World(build, { services: [{ flags }], ...world }), options);
const shadow = (build: Build, flags = 0, options: FlowOptions = {}, world: WorldOptions = {}): Flow =>
  make(build, flags | SERVICE_FLAG_SHADOW, options, world).shadowed();

const STACK: number = Port.Stack;

/** As many bytes as several segments and the store's blocks have, of which some differ. */
const TEXT = 'abcdefghijklmnopqrstuvwxyz'.repeat(200);
const differing = (...at: number[]): string => {
  const text = Buffer.from(TEXT);
  for (const i of at) text.write('#', i);
  return text.toString();
};

/** In segments of 1,000 bytes. */
function say(flow: Flow, who: 'primary' | 'stack', text: string): void {
  for (let at = 0; at < text.length; at += 1000) flow[who].data(text.slice(at, at + 1000));
}

/**
 * The replica says `total` bytes in segments of `length`, as fast as a frame can be changed in the slot: its checksum is
 * left to offload, and so depends on no number. What was sent to the wire.
 */
function repeat(flow: Flow, length: number, total: number): number[] {
  const { exports, bytes, view } = flow.world.core;
  const { stack, world } = flow;
  const frame = flow.frame(stack, 'PA', { payload: new Uint8Array(length), checksum: 'partial' });
  const slot = exports.rxSlot() >>> 0;
  const sent: number[] = [];
  bytes.set(frame, slot);
  for (let at = 0; at < total; at += length) {
    view.setUint32(slot + 14 + 20 + 4, stack.next);
    const n = exports.receive(Port.Stack, frame.length, frame.length, world.now);
    for (let i = 0; i < n; i++) {
      const port = view.getUint32((exports.txTable() >>> 0) + i * TX_DESC_BYTES + TX_DESC_PORT, true);
      if (port !== STACK) sent.push(at);
    }
    stack.next = (stack.next + length) >>> 0;
  }
  return sent;
}

for (const build of BUILDS) {
  for (const first of ['primary', 'replica', 'by turns'] as const) {
    for (const acknowledged of ['before', 'after', 'never'] as const) {
      test(`${build}: a difference is found at its offset (first: ${first}, acknowledged ${acknowledged})`, (t) => {
        const flow = shadow(build);
        const other = differing(1717, 3003);
        if (first === 'primary') say(flow, 'primary', TEXT);
        if (acknowledged === 'before' && first === 'primary') flow.client.ack();
        if (first === 'by turns') {
          for (let at = 0; at < TEXT.length; at += 1000) {
            flow.primary.data(TEXT.slice(at, at + 1000));
            flow.stack.data(other.slice(at, at + 1000));
            if (acknowledged === 'before') flow.client.ack();
          }
        } else {
          say(flow, 'stack', other);
        }
        if (first === 'replica') say(flow, 'primary', TEXT);
        if (acknowledged !== 'never') flow.client.ack();
        t.deepEqual(flow.record().diverged, [1717, 3004]);
        t.is(flow.world.service(SERVICE_DIVERGENCES), 1);
        t.is(flow.world.counted(Counter.Divergences), 1);
        // The client has all of it, or may still get either.
        t.is(flow.record().risk, acknowledged === 'never' ? Risk.Diverged : Risk.None);
        if (acknowledged === 'never') flow.client.received -= TEXT.length;
        flow.crash();
        if (acknowledged === 'never') {
          t.is(flow.record().loss, Loss.Diverged);
          t.true(flow.toClient()[0]?.flags.includes('R'));
          t.true(flow.toReplica().at(-1)?.flags.includes('R'));
        } else {
          t.is(flow.record().phase, Phase.Live);
        }
      });
    }
  }

  test(`${build}: equal streams do not differ, in whatever pieces and in whatever order`, (t) => {
    const flow = shadow(build);
    say(flow, 'stack', TEXT.slice(0, 2500));
    say(flow, 'primary', TEXT.slice(0, 1200));
    flow.client.ack();
    say(flow, 'primary', TEXT.slice(1200));
    flow.primary.data(TEXT.slice(2000, 2900), { seq: flow.primary.offer.isn + 1 + 2000 });
    say(flow, 'stack', TEXT.slice(2500, 2600));
    flow.stack.data(TEXT.slice(2500, 2700), { seq: flow.stack.offer.isn + 1 + 2500 });
    flow.client.ack();
    flow.stack.next = flow.stack.offer.isn + 1 + 2700;
    say(flow, 'stack', TEXT.slice(2700));
    t.deepEqual(flow.record().diverged, [0, 0]);
    t.is(flow.world.retainedUsed(), 0);
  });

  test(`${build}: bytes behind what the replica has said are not compared, whatever lies there`, (t) => {
    // Behind the frame lie the bytes that the tester watches over.
    const flow = shadow(build);
    flow.primary.data(Uint8Array.of(1, 2, 3, ...new Array<number>(60).fill(0xa5)));
    flow.stack.data(Uint8Array.of(1, 2, 3));
    t.deepEqual(flow.record().diverged, [0, 0]);
  });

  test(`${build}: bytes are compared with those of the same number, not with others that lie near`, (t) => {
    const eight = (text: string): string => text.repeat(8);
    const before = shadow(build);
    before.primary.data(eight('A') + eight('B') + eight('C'));
    before.stack.data(eight('A')).stack.data(eight('B') + eight('A'));
    t.deepEqual(before.record().diverged, [16, 24]);
    // The same of the frame: eight NOPs before its payload.
    const options = new Array<Uint8Array>(8).fill(nop());
    const header = shadow(build);
    header.primary.data(eight('A') + eight('B') + eight('\x01'));
    header.stack.data(eight('A')).stack.data(eight('B') + eight('C'), { options });
    t.deepEqual(header.record().diverged, [16, 24]);
  });

  test(`${build}: the service goes on in spite of a difference, and the client gets one version of each byte`, (t) => {
    const flow = shadow(build, SERVICE_FLAG_DIVERGED_CONTINUE);
    const from = flow.primary.next;
    flow.primary.data('Date: Monday. ');
    flow.client.received = from;
    flow.stack.data('Date: Friday. More');
    t.deepEqual(flow.record().diverged, [6, 9]);
    flow.crash().drainToClient();
    t.is(flow.stream(flow.toClient(flow.all), from), 'Date: Monday. More');
    t.is(flow.record().phase, Phase.Live);
  });

  test(`${build}: the service never goes on after a difference, though the client has all that differs`, (t) => {
    const flow = shadow(build, SERVICE_FLAG_DIVERGED_RESET);
    flow.primary.data('Date: Monday.');
    flow.stack.data('Date: Friday.');
    flow.client.ack();
    t.is(flow.record().risk, Risk.Diverged);
    flow.primary.data('same').stack.data('same');
    flow.client.ack();
    t.is(flow.record().risk, Risk.Diverged);
    flow.crash();
    t.is(flow.record().loss, Loss.Diverged);
    t.is(flow.world.losses(Loss.Diverged), 1);
  });

  test(`${build}: a second difference, not yet acknowledged, is as bad as the first was`, (t) => {
    const flow = shadow(build);
    flow.primary.data('aaaa').primary.data('bbbb').stack.data('xaaabbbx');
    const seq = flow.primary.next;
    flow.client.ack({ ack: seq - 4 });
    t.is(flow.record().risk, Risk.Diverged);
    flow.client.ack({ ack: seq });
    t.is(flow.record().risk, Risk.None);
    t.deepEqual(flow.record().diverged, [0, 8]);
    flow.primary.data('c').stack.data('d');
    t.is(flow.record().risk, Risk.Diverged);
    t.deepEqual(flow.record().diverged, [0, 9]);
    t.is(flow.world.service(SERVICE_DIVERGENCES), 1);
  });

  test(`${build}: a replay is compared with what is left of the primary's output`, (t) => {
    for (const [at, risk] of [
      [100, Phase.Live],
      [TEXT.length - 1, Phase.Live],
    ] as const) {
      const flow = make(build, SERVICE_FLAG_REPLAY).established();
      say(flow, 'primary', TEXT);
      flow.client.ack();
      flow.crash().accept().confirm();
      say(flow, 'stack', differing(at));
      t.deepEqual(flow.record().diverged, [at, at + 1]);
      t.is(flow.record().phase, risk);
    }
  });

  test(`${build}: beyond its budget output is not compared, and nothing is made up`, (t) => {
    const world = { capacity: { comparePerConnection: 2048 } };
    const flow = make(build, SERVICE_FLAG_REPLAY, {}, world).established();
    for (let at = 0; at < TEXT.length; at += 1000) {
      flow.primary.data(TEXT.slice(at, at + 1000));
      flow.client.ack();
    }
    t.true(flow.world.recordedUsed() <= 2048);
    flow.crash().accept().confirm();
    say(flow, 'stack', differing(3, 4444));
    t.deepEqual(flow.record().diverged, [3, 4]);
    t.is(flow.record().phase, Phase.Live);
  });

  test(`${build}: a replica that closes short of the client's position has said something else`, (t) => {
    const flow = shadow(build);
    flow.primary.data('a long answer');
    flow.client.ack();
    flow.stack.data('a long').stack.fin();
    flow.crash();
    t.is(flow.record().loss, Loss.Diverged);
    t.deepEqual(flow.record().diverged, [6, 13]);
    t.is(flow.world.service(SERVICE_DIVERGENCES), 1);
    t.true(flow.toClient()[0]?.flags.includes('R'));
  });

  test(`${build}: a replica that goes on where the primary has closed has said something else`, (t) => {
    for (const acknowledged of [true, false]) {
      for (const first of ['primary', 'replica'] as const) {
        const flow = shadow(build);
        const from = flow.primary.next;
        if (first === 'replica') flow.stack.data('end and more');
        flow.primary.data('end').primary.fin();
        if (acknowledged) flow.client.ack();
        else flow.client.received = from;
        if (first === 'primary') flow.stack.data('end and more');
        t.deepEqual(flow.record().diverged, [3, 4]);
        flow.crash().drainToClient();
        if (!acknowledged) {
          t.is(flow.record().loss, Loss.Diverged);
          continue;
        }
        // The client has read the FIN: nothing of that reaches it.
        t.is(flow.record().phase, Phase.Live);
        t.is(flow.client.received, from + 4);
        flow.stack.data('!').client.data('?');
        t.true(flow.toClient(flow.all).every(({ payload }) => payload.length === 0));
        t.is(flow.toReplica().at(-1)?.ack, flow.stack.next);
      }
    }
  });

  test(`${build}: offsets are those of the stream beyond 4 GiB, however far behind the replica is`, (t) => {
    // The client's window is a gigabyte, so that its acknowledgements show what the tap need not see.
    const offer = { windowShift: 14, window: 0xffff };
    const options = { clientOffer: offer, primaryOffer: { ...offer, isn: 77 }, replicaOffer: offer };
    const flow = shadow(build, 0, options);
    const last = 1_073_625_000;
    for (const jump of [1e9, 1e9, 1e9, 1e9, last]) {
      flow.primary.next = (flow.primary.next + jump) >>> 0;
      flow.client.received = flow.primary.next;
      flow.client.ack(jump === last ? { window: 5 } : {});
    }
    const said = 4e9 + last;
    t.is(flow.record().outbound.passed, said + 1);
    flow.world.setState(ServiceState.Recovery);
    t.is(flow.record().phase, Phase.Withheld);
    flow.world.setState(ServiceState.Normal);
    t.deepEqual(repeat(flow, 62_500, said), []);
    flow.primary.data('good bye');
    flow.client.ack({ window: 5 });
    t.deepEqual(flow.record().diverged, [0, 0]);
    flow.stack.data('good bxe');
    // Level with the client again: it is told what that had granted before the last gigabyte.
    t.is(flow.toReplica().at(-1)?.window, Math.ceil(((0xffff << 14) - last - 8) / (1 << 14)));
    t.deepEqual(flow.record().diverged, [said + 6, said + 7]);
    flow.crash();
    t.is(flow.record().phase, Phase.Live);
    flow.stack.data('next');
    t.is(flow.toClient()[0]?.seq, flow.primary.next);
    t.is(flow.world.service(SERVICE_RECOVERING), 0);
  });
}
