/** The service address on the wire: ARP, neighbour discovery, pings, and ICMP errors about translated segments. */
import test from 'ava';
import { Counter, Port, Reason, ServiceState } from '../../assembly/abi/codes';
import { SERVICE_HEARD } from '../../assembly/abi/layout';
import { Flow } from '../support/flow';
import {
  arpFrame,
  be16,
  be32,
  destinationOptions,
  echoRequestFrame,
  hex,
  icmpErrorFrame,
  neighborAdvertisementFrame,
  neighborSolicitationFrame,
} from '../support/frames';
import type { Sent } from '../support/sent';
import { MAC, World } from '../support/world';

const BUILDS = ['debug', 'release'] as const;

const V6 = { services: [{ address: 'fd00::2', replica: 'fd00::3', vlan: 0 }] };
const ALL_NODES = { dst: 'ff02::1', dstMac: '33:33:00:00:00:01' } as const;

/** The target link-layer address and the flags of an advertisement. */
function advertised(frame: Sent | undefined): { flags: string; target: string; mac: string } {
  if (frame?.kind !== 'icmp') throw new Error('no advertisement');
  const { message } = frame;
  return {
    flags: hex(message.subarray(4, 8)),
    target: hex(message.subarray(8, 24)),
    mac: hex(message.subarray(26, 32)),
  };
}

for (const build of BUILDS) {
  const serving = (options = {}): World => {
    const world = new World(build, options);
    world.setState(ServiceState.Recovery);
    return world;
  };

  test(`${build}: nothing is answered while the primary has the address`, (t) => {
    const world = new World(build);
    t.deepEqual(world.receive(Port.Wire, arpFrame({ targetIp: '10.0.0.2' })), []);
    t.deepEqual(world.receive(Port.Wire, echoRequestFrame({ dst: '10.0.0.2' })), []);
    t.is(world.refused(Reason.ArpNotOurs), 1);
    t.is(world.refused(Reason.NotOurs), 1);
  });

  test(`${build}: ARP requests for the service address are answered, with the tags they came with`, (t) => {
    for (const tags of [[], [{ vid: 5 }], [{ vid: 5 }, { vid: 6 }]]) {
      const world = serving();
      const [reply, ...others] = world.receive(Port.Wire, arpFrame({ tags, targetIp: '10.0.0.2' }));
      t.is(others.length, 0);
      t.like(reply, {
        kind: 'arp',
        port: Port.Wire,
        operation: 2,
        senderMac: MAC.daemon,
        senderIp: '10.0.0.2',
        targetMac: MAC.client,
        targetIp: '10.0.0.9',
        dstMac: MAC.client,
        srcMac: MAC.daemon,
      });
      t.is(reply?.tags.length, tags.length);
      t.is(world.counted(Counter.ArpAnswered), 1);
    }
  });

  test(`${build}: ARP about other addresses is not ours`, (t) => {
    const world = serving();
    t.deepEqual(world.receive(Port.Wire, arpFrame({ targetIp: '10.0.0.77' })), []);
    t.deepEqual(world.receive(Port.Wire, arpFrame({ operation: 2, targetIp: '10.0.0.2' })), []);
    t.is(world.refused(Reason.ArpNotOurs), 2);
  });

  test(`${build}: a claim to the service address is contradicted, but not without end`, (t) => {
    const world = serving();
    const claim = arpFrame({ operation: 2, srcMac: MAC.primary, senderIp: '10.0.0.2', targetIp: '10.0.0.9' });
    t.deepEqual(
      world
        .receive(Port.Wire, claim)
        .map((frame) => (frame.kind === 'arp' ? [frame.operation, frame.senderMac, frame.targetIp] : [])),
      [
        [1, MAC.daemon, '10.0.0.2'],
        [2, MAC.daemon, '10.0.0.2'],
      ],
    );
    t.is(world.refused(Reason.FromPrimary), 1);
    t.deepEqual(world.receive(Port.Wire, claim), []);
    world.now += 1001;
    t.is(world.receive(Port.Wire, claim).length, 2);
    // Our own announcement, seen again, is no claim.
    t.deepEqual(
      world.receive(
        Port.Wire,
        arpFrame({ operation: 2, srcMac: MAC.daemon, senderIp: '10.0.0.2', targetIp: '10.0.0.2' }),
      ),
      [],
    );
  });

  test(`${build}: announcements: gratuitous request and reply, in the service's VLAN`, (t) => {
    const world = serving({ services: [{ vlan: 77 }] });
    const sent = world.announce();
    t.deepEqual(
      sent.map((frame) =>
        frame.kind === 'arp' ? [frame.operation, frame.dstMac, frame.senderIp, frame.targetIp, frame.tags] : [],
      ),
      [
        [1, 'ff:ff:ff:ff:ff:ff', '10.0.0.2', '10.0.0.2', ['8100:004d']],
        [2, 'ff:ff:ff:ff:ff:ff', '10.0.0.2', '10.0.0.2', ['8100:004d']],
      ],
    );
    t.is(world.counted(Counter.Announcements), 1);
  });

  test(`${build}: announcements of IPv6: an unsolicited advertisement with override (RFC 4861 7.2.6)`, (t) => {
    const [frame, ...others] = serving(V6).announce();
    t.is(others.length, 0);
    t.like(frame, { kind: 'icmp', type: 136, src: 'fd00::2', ...ALL_NODES, srcMac: MAC.daemon });
    t.deepEqual(advertised(frame), { flags: '20000000', target: `fd00${'0'.repeat(27)}2`, mac: '02000000000d' });
  });

  test(`${build}: neighbour solicitations are answered, those of duplicate address detection to all nodes`, (t) => {
    const world = serving(V6);
    const [answer] = world.receive(Port.Wire, neighborSolicitationFrame({ target: 'fd00::2' }));
    t.like(answer, { type: 136, src: 'fd00::2', dst: 'fe80::9', dstMac: MAC.client });
    t.is(advertised(answer).flags, '60000000');
    const [detection] = world.receive(Port.Wire, neighborSolicitationFrame({ target: 'fd00::2', src: '::' }));
    t.like(detection, { type: 136, ...ALL_NODES });
    t.is(advertised(detection).flags, '20000000');
    t.deepEqual(world.receive(Port.Wire, neighborSolicitationFrame({ target: 'fd00::77' })), []);
    t.is(world.counted(Counter.NdAnswered), 2);
  });

  test(`${build}: an advertisement by somebody else is contradicted`, (t) => {
    const world = serving(V6);
    const claim = neighborAdvertisementFrame({ target: 'fd00::2', srcMac: MAC.primary, src: 'fd00::2' });
    t.is(world.receive(Port.Wire, claim).length, 1);
    t.is(world.refused(Reason.FromPrimary), 1);
  });

  test(`${build}: pings are answered as long as the service says so`, (t) => {
    const body = Uint8Array.from({ length: 56 }, (_, i) => i);
    for (const options of [{}, V6]) {
      const v6 = options === V6;
      const ping = echoRequestFrame({ ...(v6 ? { src: 'fd00::9', dst: 'fd00::2' } : {}), body, id: 7, sequence: 3 });
      const [pong] = serving(options).receive(Port.Wire, ping);
      t.like(pong, {
        kind: 'icmp',
        type: v6 ? 129 : 0,
        src: v6 ? 'fd00::2' : '10.0.0.2',
        dstMac: MAC.client,
        srcMac: MAC.daemon,
      });
      if (pong?.kind === 'icmp') t.is(hex(pong.message.subarray(4)), hex(Buffer.concat([be16(7), be16(3), body])));
    }
    const silent = serving({ services: [{ echo: false }] });
    t.deepEqual(silent.receive(Port.Wire, echoRequestFrame({ dst: '10.0.0.2' })), []);
  });

  test(`${build}: the primary is heard by any frame it sends`, (t) => {
    const world = new World(build);
    const flow = new Flow(world);
    flow.client.syn();
    t.is(world.service(SERVICE_HEARD), 0);
    flow.primary.synAck();
    world.receive(Port.Wire, arpFrame({ srcMac: MAC.primary, senderIp: '10.0.0.2' }));
    world.receive(Port.Wire, echoRequestFrame({ src: '10.0.0.2', dst: '10.0.0.9' }));
    t.is(world.service(SERVICE_HEARD), 3);
  });

  // --- ICMP errors ------------------------------------------------------------------------------------------------

  test(`${build}: "too big" for the client's path reaches the replica about its own segment, and is obeyed`, (t) => {
    const flow = new Flow(new World(build)).established().recovered();
    flow.stack.data(1400);
    const [segment] = flow.toClient();
    if (segment === undefined) return t.fail();
    const error = icmpErrorFrame({ src: '10.0.0.254', dst: '10.0.0.2', type: 3, code: 4, rest: 1000 }, segment.bytes);
    const [passed] = flow.world.receive(Port.Wire, error);
    if (passed?.kind !== 'icmp') return t.fail();
    t.like(passed, { port: Port.Stack, type: 3, code: 4, src: '10.0.0.254', dst: '10.0.0.3', dstMac: MAC.stack });
    const quote = passed.message.subarray(8);
    t.is(hex(quote.subarray(12, 20)), '0a0000030a000009');
    t.is(hex(quote.subarray(20, 28)), hex(Buffer.concat([be16(7000), be16(40_000), be32(flow.stack.next - 1400)])));
    t.is(flow.world.counted(Counter.IcmpTranslated), 1);
    // Larger segments of the replica are split from now on.
    flow.stack.data(1400, { seq: flow.stack.next - 1400 });
    t.deepEqual(
      flow.toClient().map(({ payload }) => payload.length),
      [960, 440],
    );
  });

  test(`${build}: an error of the replica's host reaches the client about its own segment`, (t) => {
    const flow = new Flow(new World(build), { tags: [{ vid: 9 }] }).established().recovered();
    const [segment] = flow.client.data('hello').toReplica();
    if (segment === undefined) return t.fail();
    const error = icmpErrorFrame({ src: '10.0.0.3', dst: '10.0.0.9', type: 3, code: 3 }, segment.bytes, 48);
    const [passed] = flow.world.receive(Port.Stack, error);
    if (passed?.kind !== 'icmp') return t.fail();
    t.like(passed, { port: Port.Wire, src: '10.0.0.2', dst: '10.0.0.9', dstMac: MAC.client, tags: ['8100:0009'] });
    const quote = passed.message.subarray(8);
    t.is(hex(quote.subarray(12, 20)), '0a0000090a000002');
    t.is(hex(quote.subarray(20, 28)), hex(Buffer.concat([be16(40_000), be16(7000), be32(flow.client.next - 5)])));
  });

  test(`${build}: the same with IPv6 and an extension header`, (t) => {
    const flow = new Flow(new World(build, V6), { client: 'fd00::9' }).established().recovered();
    flow.stack.data(1400, { extensions: [destinationOptions()] });
    const [segment] = flow.toClient();
    if (segment === undefined) return t.fail();
    const error = icmpErrorFrame({ src: 'fd00::fe', dst: 'fd00::2', type: 2, rest: 1280 }, segment.bytes, 200);
    const [passed] = flow.world.receive(Port.Wire, error);
    t.like(passed, { kind: 'icmp', type: 2, dst: 'fd00::3', port: Port.Stack });
    if (passed?.kind !== 'icmp') return t.fail();
    const quoted = passed.message.subarray(8 + 40 + 8);
    t.is(hex(quoted.subarray(0, 8)), hex(Buffer.concat([be16(7000), be16(40_000), be32(flow.stack.next - 1400)])));
  });

  test(`${build}: errors about what is not translated are not ours`, (t) => {
    const flow = new Flow(new World(build)).established();
    const quoted = flow.frame(flow.primary, 'PA', { payload: 'x'.repeat(20) });
    const error = icmpErrorFrame({ src: '10.0.0.254', dst: '10.0.0.2', type: 3, code: 4, rest: 1000 }, quoted);
    t.deepEqual(flow.world.receive(Port.Wire, error), []);
    t.deepEqual(flow.world.receive(Port.Stack, error), []);
    t.is(flow.world.refused(Reason.IcmpNotOurs), 2);
  });
}
