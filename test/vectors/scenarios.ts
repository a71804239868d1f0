/**
 * What the vectors tell: each a story of one or two connections, chosen so that a host which gets any byte of it wrong
 * shows it. Bytes and numbers are small, except where a number has to wrap.
 */
import { Port, ServiceState } from '../../assembly/abi/codes';
import { SERVICE_FLAG_REPLAY, SERVICE_FLAG_SHADOW } from '../../assembly/abi/layout';
import { Flow, type FlowOptions } from '../support/flow';
import {
  arpFrame,
  destinationOptions,
  echoRequestFrame,
  ethernet,
  icmpErrorFrame,
  ipFrame,
  md5,
  mss,
  neighborSolicitationFrame,
  nop,
  sack,
  tcpFrame,
} from '../support/frames';
import { MAC, type World, type WorldOptions } from '../support/world';

export interface Scenario {
  readonly name: string;
  readonly options?: WorldOptions;
  readonly play: (world: World) => void;
}

const FULL: FlowOptions = {
  clientOffer: { isn: 0xfffffff0, windowShift: 7, sack: true, tsval: 0x01020304, window: 501 },
  primaryOffer: { isn: 0x7ffffff0, windowShift: 7, sack: true, tsval: 0xfffffff0, window: 502 },
  replicaOffer: { isn: 0xffffffff, windowShift: 9, sack: true, tsval: 0x10, window: 600 },
};
const PLAIN: FlowOptions = { clientOffer: { windowShift: 2 }, primaryOffer: { windowShift: 3 }, replicaOffer: {} };
const V6: WorldOptions = { services: [{ address: 'fd00::2', replica: 'fd00::3' }] };
const REMOTE: WorldOptions = { services: [{ remote: true, mapFirst: 50_000, mapLast: 50_100 }] };

const service = (flags: number): WorldOptions => ({ services: [{ flags }] });

/** Bytes the primary has not acknowledged, and bytes the client has not. */
function inFlight(flow: Flow): Flow {
  flow.established().client.data('first ').primary.data('welcome\n').client.ack().primary.data('on its way\n');
  return flow.client.data('request\n', { ack: (flow.client.received - 11) >>> 0 });
}

/** The replica takes over, and both sides speak and close. */
function moved(flow: Flow): void {
  flow.world.now += 50;
  flow.crash().accept().take().confirm();
  flow.client.data('and more\n').take().stack.data('from the replica\n').take().client.ack().take();
  flow.client.fin().take().stack.ack().stack.fin().take().client.ack();
  flow.world.announce();
  flow.world.setState(ServiceState.Proxy);
}

/** What a replica does that is given the stream from its first byte: it answers as the primary did. */
function replayed(flow: Flow): void {
  flow.take().stack.ack().stack.data('welcome\n').stack.data('on its way\n').take();
  flow.client.ack().take().stack.data('only the replica said this\n').take().client.ack();
}

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'a connection from SYN to TIME-WAIT with every option, across the wrap of both numbers',
    play: (world) => {
      const flow = new Flow(world, FULL).established();
      flow.client.data(40).primary.data(64).client.ack();
      flow.primary.data(100).client.ack({
        ack: flow.primary.next - 100,
        options: [nop(), nop(), sack([flow.primary.next - 50, flow.primary.next])],
      });
      world.tick(100);
      flow.client.ack().client.fin().primary.fin().client.ack();
    },
  },
  {
    name: 'fail-over of an IPv4 connection with bytes in flight both ways',
    play: (world) => moved(inFlight(new Flow(world, FULL))),
  },
  {
    name: 'fail-over to a replica that agrees to no option',
    play: (world) => moved(inFlight(new Flow(world, { ...FULL, replicaOffer: { isn: 7, mss: 536 } }))),
  },
  {
    name: 'fail-over over IPv6, behind an extension header',
    options: V6,
    play: (world) => {
      const flow = new Flow(world, { ...PLAIN, client: 'fd00::9' });
      flow.established().client.data('six', { extensions: [destinationOptions(2)] });
      moved(flow);
    },
  },
  {
    name: 'fail-over behind two VLAN tags',
    play: (world) => {
      const tags = [{ vid: 100, tpid: 0x88a8, priority: 5 }, { vid: 7 }];
      moved(inFlight(new Flow(world, { ...PLAIN, tags })));
    },
  },
  {
    name: 'fail-over to a replica on another machine',
    options: REMOTE,
    play: (world) => moved(inFlight(new Flow(world, { ...FULL, remote: true }))),
  },
  {
    name: 'the replica refuses, or does not answer',
    play: (world) => {
      new Flow(world, { clientPort: 40001 }).established().crash().stack.segment('RA', { ack: 1001 });
      world.setState(ServiceState.Normal);
      new Flow(world, { clientPort: 40002 }).established().crash();
      for (let i = 0; i < 80; i++) world.tick(250);
    },
  },
  {
    name: 'the primary is suspected: what it then says is held back',
    play: (world) => {
      const flow = new Flow(world).established();
      world.setQuarantine(true);
      flow.primary.fin({ payload: 'bye' });
      flow.primary.rst({ seq: 500_004 });
      world.setQuarantine(false);
    },
  },
  {
    name: 'a new connection while the replica serves, and the end of it when the host stops',
    play: (world) => {
      world.setState(ServiceState.Proxy);
      const flow = new Flow(world, PLAIN);
      world.receive(Port.Wire, flow.frame(flow.client, 'S', { options: [mss(1400)], ack: 0 }));
      const answer = { srcMac: MAC.stack, dstMac: MAC.gateway, src: '10.0.0.3', dst: '10.0.0.9', srcPort: 7000 };
      const numbers = { dstPort: 40000, seq: 1, ack: 1001, flags: 'SA', options: [mss(1460)] };
      world.receive(Port.Stack, tcpFrame({ ...answer, ...numbers }));
      world.receive(Port.Wire, tcpFrame({ seq: 1001, ack: 2, payload: 'new', flags: 'PA' }));
      world.core.exports.dismiss(0, world.now);
      world.pump();
    },
  },
  {
    name: 'who has the service address: ARP, neighbour solicitation and echo, before and after the take-over',
    options: { services: [{}, { address: 'fd00::2', replica: 'fd00::3' }] },
    play: (world) => {
      const ask = (): void => {
        world.receive(Port.Wire, arpFrame());
        world.receive(Port.Wire, echoRequestFrame({ dstMac: MAC.daemon }));
        world.receive(
          Port.Wire,
          neighborSolicitationFrame({ target: 'fd00::2', src: 'fd00::9', linkAddress: MAC.client }),
        );
      };
      ask();
      for (const index of [0, 1]) {
        world.setState(ServiceState.Proxy, index);
        world.announce(index);
      }
      ask();
    },
  },
  {
    name: 'an ICMP error about a translated segment finds its sender',
    play: (world) => {
      const flow = new Flow(world, PLAIN).established().recovered();
      const seen = flow.frame(flow.primary, 'PA', { payload: 'x'.repeat(60), seq: flow.client.received });
      world.receive(Port.Wire, icmpErrorFrame({ type: 3, code: 4, rest: 1400, src: '10.0.0.1' }, seen));
    },
  },
  {
    name: 'a merged frame is split for the client',
    play: (world) => {
      const flow = new Flow(world, { ...PLAIN, clientOffer: { mss: 536, windowShift: 2 } }).established().recovered();
      flow.stack.data(3000);
    },
  },
  {
    name: 'captures: picked up while running, a hole, a signature, VLANs',
    options: { services: [] },
    play: (world) => {
      world.core.exports.trackAll(1);
      new Flow(world, { clientPort: 40001 }).client.data('running').primary.ack();
      const hole = new Flow(world, { clientPort: 40002 }).established();
      hole.client.next += 50;
      hole.primary.received = hole.client.next;
      hole.primary.ack().client.ack();
      const signed = new Flow(world, { clientPort: 40003 });
      signed.client.syn({ options: [md5()] });
      new Flow(world, { clientPort: 40004, tags: [{ vid: 12 }] }).established();
    },
  },
  {
    name: 'frames that move nothing, each for its reason',
    play: (world) => {
      const flow = new Flow(world).established();
      const valid = { dst: '10.0.0.2', dstPort: 7000 };
      const frames = [
        tcpFrame().subarray(0, 13),
        ethernet({}, 0x88cc, new Uint8Array(46)),
        tcpFrame({ tags: [{ vid: 1 }, { vid: 2 }, { vid: 3 }] }),
        tcpFrame({ ipLength: 5000 }),
        tcpFrame({ ipChecksum: 0x1234 }),
        tcpFrame({ ...valid, moreFragments: true }),
        ipFrame({}, 17, new Uint8Array(8)),
        tcpFrame({ dataOffset: 4 }),
        tcpFrame({ flags: 'SF' }),
        tcpFrame({ options: [Uint8Array.of(8, 1, 0, 0)] }),
        tcpFrame({ ...valid, checksum: 0x1234 }),
        tcpFrame({ dst: '10.0.0.200' }),
        tcpFrame({ ...valid, srcPort: 1, flags: 'R' }),
        tcpFrame({ ipOptions: Uint8Array.of(131, 7, 4, 10, 0, 0, 1) }),
      ];
      for (const frame of frames) world.receive(Port.Wire, frame);
      flow.client.data('x', { seq: flow.client.next + 100_000 });
      flow.client.ack({ ack: flow.client.received + 100_000 });
      flow.client.rst({ seq: flow.client.next + 1 });
      flow.client.syn({ seq: 5 });
      world.receive(Port.Stack, flow.frame(flow.stack, 'PA', { payload: 'unasked' }));
    },
  },
  {
    name: 'mistakes of a host are named by a status',
    play: (world) => {
      const { exports } = world.core;
      exports.setServiceState(9, ServiceState.Proxy, 0);
      exports.setPort(7, 1500, 0, 0, 0, 0);
      exports.receive(0, 70_000, 70_000, 0);
      exports.announce(3);
    },
  },
  {
    name: 'the host is started again while the replica serves',
    play: (world) => {
      const flow = new Flow(world, FULL).established().recovered();
      world.setState(ServiceState.Proxy);
      const { exports, bytes } = world.core;
      const length = exports.exportLive(0);
      const records = bytes.slice(exports.rxSlot() >>> 0, (exports.rxSlot() >>> 0) + length);
      exports.init(64, 1 << 20, 1 << 18, 0, 0, 0, 1, 2, 3, 4);
      world.setPort(Port.Wire, 1500, MAC.daemon, '00:00:00:00:00:00');
      world.setPort(Port.Stack, 65535, MAC.gateway, MAC.stack);
      world.addService();
      world.setState(ServiceState.Proxy);
      bytes.set(records, exports.rxSlot() >>> 0);
      exports.importLive(length, world.now);
      flow.client.data('still here').stack.ack({ ack: flow.client.next });
    },
  },
  {
    name: 'replay: the replica reads the stream from its first byte, and its output is withheld until it is new',
    options: service(SERVICE_FLAG_REPLAY),
    play: (world) => {
      const flow = inFlight(new Flow(world, PLAIN));
      world.now += 50;
      replayed(flow.crash().accept());
    },
  },
  {
    name: 'replay: the replica says something else than the primary did',
    options: service(SERVICE_FLAG_REPLAY),
    play: (world) => {
      const flow = inFlight(new Flow(world, PLAIN));
      flow.crash().accept().take().stack.ack().stack.data('WELCOME\n').stack.data('on its way\n');
    },
  },
  {
    name: 'shadow: the replica reads along beside the primary',
    options: service(SERVICE_FLAG_SHADOW),
    play: (world) => {
      const flow = new Flow(world, PLAIN).established();
      // The replica's own numbers, which the client must never come to know.
      const replica = (flags: string, payload = '', options: readonly Uint8Array[] = []): Flow => {
        const frame = flow.take().frame(flow.stack, flags, { payload, options });
        flow.stack.next += payload.length + (flags.includes('S') ? 1 : 0);
        return flow.note(world.receive(Port.Stack, frame));
      };
      flow.stack.received = flow.client.next;
      replica('SA', '', [mss(1460)]);
      replica('A');
      flow.client.data('first ');
      replica('A');
      flow.primary.data('welcome\n').client.ack();
      replica('PA', 'welcome\n');
      world.now += 50;
      flow.crash().client.data('second ');
      replica('PA', 'from the replica\n').take().client.ack();
    },
  },
  {
    name: 'replay: a record that outgrows the memory is kept by the host, and given back',
    options: {
      services: [{ flags: SERVICE_FLAG_REPLAY }],
      capacity: { recordBytes: 8192, recordPerConnection: 1 << 16 },
    },
    play: (world) => {
      const flow = new Flow(world, PLAIN).established();
      const kept: number[] = [];
      for (let i = 0; i < 12; i++) {
        flow.client.data(700).primary.ack();
        for (let given = world.spill(); given !== undefined; given = world.spill()) kept.push(...given.bytes);
      }
      flow.crash().accept().confirm();
      for (let wanted = world.wanted(); wanted !== undefined; wanted = world.wanted()) {
        const { connection, from, length } = wanted;
        flow
          .note(world.supply(connection, Uint8Array.from(kept.slice(from, from + length))))
          .take()
          .stack.ack();
        while (flow.toReplica().length > 0) flow.take().stack.ack();
      }
    },
  },
];
