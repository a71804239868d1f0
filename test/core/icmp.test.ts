/** ICMP errors through the translator: what is translated in the quote, what is obeyed of it, and what is refused. */
import test from 'ava';
import { Port, Reason } from '../../assembly/abi/codes';
import { Flow, type FlowOptions } from '../support/flow';
import { be16, be32, hex, icmpErrorFrame } from '../support/frames';
import type { Icmp, Segment, Sent } from '../support/sent';
import { World, type WorldOptions } from '../support/world';

const BUILDS = ['debug', 'release'] as const;
const ICMP_HEADER_BYTES = 8;

/** Where the quoted IPv4 addresses and the TCP header begin, in a quote without IP options. */
const quoted = (message: Uint8Array): readonly string[] => {
  const quote = message.subarray(ICMP_HEADER_BYTES);
  return [hex(quote.subarray(12, 20)), hex(quote.subarray(20, 28))];
};
const ports = (source: number, destination: number, seq: number): string =>
  hex(Buffer.concat([be16(source), be16(destination), be32(seq >>> 0)]));

function icmp(sent: readonly Sent[]): Icmp {
  const [error] = sent;
  if (error?.kind !== 'icmp') throw new Error('no error was passed on');
  return error;
}

function only(segments: readonly Segment[]): Segment {
  const [segment] = segments;
  if (segment === undefined || segments.length > 1) throw new Error(`${segments.length} segments`);
  return segment;
}

for (const build of BUILDS) {
  const live = (options: FlowOptions = {}, world: WorldOptions = {}): Flow =>
    new Flow(new World(build, world), options).established().recovered();

  /** A path that takes `mtu` bytes, said by a router about the segment last sent to the client. */
  const tooBig = (flow: Flow, about: Segment, mtu: number): Sent[] => {
    const isIpv6 = about.src.includes(':');
    const src = isIpv6 ? 'fd00::fe' : '10.0.0.254';
    const error = isIpv6 ? { type: 2 } : { type: 3, code: 4 };
    return flow.world.receive(Port.Wire, icmpErrorFrame({ src, dst: about.src, ...error, rest: mtu }, about.bytes, 64));
  };
  const sizes = (flow: Flow): number[] => {
    flow.stack.data(1400, { seq: flow.stack.next - 1400 });
    return flow.toClient().map(({ payload }) => payload.length);
  };

  test(`${build}: a redirect is for the routes of the primary's host`, (t) => {
    const flow = live();
    const about = only(flow.stack.data(1400).toClient());
    const redirect = icmpErrorFrame({ src: '10.0.0.254', dst: '10.0.0.2', type: 5, code: 1 }, about.bytes);
    t.deepEqual(flow.world.receive(Port.Wire, redirect), []);
    t.is(flow.world.refused(Reason.IcmpNotOurs), 1);
  });

  test(`${build}: an error that names no MTU changes no size`, (t) => {
    const flow = live();
    const about = only(flow.stack.data(1400).toClient());
    const error = icmpErrorFrame({ src: '10.0.0.254', dst: '10.0.0.2', type: 3, code: 1 }, about.bytes);
    t.is(icmp(flow.world.receive(Port.Wire, error)).code, 1);
    t.deepEqual(sizes(flow), [1400]);
  });

  test(`${build}: the smallest MTU of a path counts, and none below what IP guarantees`, (t) => {
    const flow = live();
    const about = only(flow.stack.data(1400).toClient());
    for (const [mtu, expected] of [
      [1040, [1000, 400]],
      [1240, [1000, 400]],
      [740, [700, 700]],
      [20, Array.from({ length: 30 }, (_, i) => (i < 29 ? 48 : 8))],
    ] as const) {
      tooBig(flow, about, mtu);
      t.deepEqual(sizes(flow), [...expected], `MTU ${mtu}`);
    }
  });

  test(`${build}: no path of IPv6 takes less than 1280 bytes`, (t) => {
    const flow = live({ client: 'fd00::9' }, { services: [{ address: 'fd00::2', replica: 'fd00::3' }] });
    const about = only(flow.stack.data(1400).toClient());
    const error = icmp(tooBig(flow, about, 600));
    t.like(error, { src: 'fd00::fe', dst: 'fd00::3', port: Port.Stack });
    t.is(hex(error.message.subarray(ICMP_HEADER_BYTES + 8, ICMP_HEADER_BYTES + 40)), `${V6_REPLICA}${V6_CLIENT}`);
    t.deepEqual(sizes(flow), [1220, 180]);
  });

  test(`${build}: a replica elsewhere hears of its own segment: mapped port, service address`, (t) => {
    const flow = live({ remote: true }, { services: [{ remote: true }] });
    const about = only(flow.stack.data(1400).toClient());
    const error = icmp(tooBig(flow, about, 1300));
    t.like(error, { port: Port.Wire, dst: '10.0.0.3' });
    t.deepEqual(quoted(error.message), [
      '0a0000030a000002',
      ports(7000, flow.record().stackPort, flow.stack.next - 1400),
    ]);
    t.not(flow.record().stackPort, 40_000);
  });

  test(`${build}: a replica that was given another port, and numbers with a gap, hears of its own, and so does the client`, (t) => {
    const flow = new Flow(new World(build)).established().client.data(10);
    flow.primary.ack();
    // The tap has missed these, the primary has not.
    flow.client.next += 100;
    flow.crash();
    // A replica that knows the client's port from before is silent.
    for (let waited = 0; only(flow.toReplica().slice(-1)).srcPort === 40_000; waited++) {
      if (waited > 1000) throw new Error('always the same port');
      do flow.tick(50);
      while (flow.toReplica().length === 0);
    }
    const { srcPort } = only(flow.toReplica());
    flow.accept().confirm();
    const first = flow.client.next;
    const about = only(flow.provesGap(20).toReplica());
    t.is(about.seq, (first - 100) >>> 0);
    const refused = icmpErrorFrame({ src: '10.0.0.3', dst: '10.0.0.9', type: 3, code: 3 }, about.bytes, 48);
    const toClient = icmp(flow.world.receive(Port.Stack, refused));
    t.like(toClient, { port: Port.Wire, src: '10.0.0.2', dst: '10.0.0.9' });
    t.deepEqual(quoted(toClient.message), ['0a0000090a000002', ports(40_000, 7000, first)]);

    const answer = only(flow.confirm().stack.data(100).toClient());
    const toReplica = icmp(tooBig(flow, answer, 1300));
    t.deepEqual(quoted(toReplica.message), ['0a0000030a000009', ports(7000, srcPort, flow.stack.next - 100)]);
  });

  test(`${build}: a message cut by the snapshot length is not passed on`, (t) => {
    const flow = live();
    const about = only(flow.stack.data(1400).toClient());
    const error = icmpErrorFrame({ src: '10.0.0.254', dst: '10.0.0.2', type: 3, code: 1 }, about.bytes, 64);
    t.deepEqual(flow.world.receive(Port.Wire, error.subarray(0, error.length - 10), error.length), []);
    t.is(flow.world.refused(Reason.TruncatedPayload), 1);
  });
}

const V6_REPLICA = 'fd000000000000000000000000000003';
const V6_CLIENT = 'fd000000000000000000000000000009';
