/**
 * Every refusal a frame can cause is caused here, and is counted once. Iterates the codes: a Reason without a case (or an
 * explanation why no frame can cause it) fails.
 */
import test from 'ava';
import { Port, Reason } from '../../assembly/abi/codes';
import { SERVICE_FLAG_SHADOW } from '../../assembly/abi/layout';
import { Flow } from '../support/flow';
import {
  arpFrame,
  echoRequestFrame,
  ethernet,
  hopByHop,
  icmpErrorFrame,
  icmpFrame,
  ipFrame,
  neighborSolicitationFrame,
  tcpFrame,
} from '../support/frames';
import { asCode, reasonName } from '../../src/core/names';
import { World } from '../support/world';

const BUILDS = ['debug', 'release'] as const;
type Case = (world: World) => void;

const wire =
  (frame: Uint8Array, wireLength?: number): Case =>
  (world) => {
    world.receive(Port.Wire, frame, wireLength);
  };

const cut = (bytes: number, frame = tcpFrame()): Uint8Array => frame.subarray(0, bytes);

/** A segment that would be tracked, changed by the case. */
const valid = { dst: '10.0.0.2', dstPort: 7000 } as const;

const CASES: Partial<Record<Reason, Case>> = {
  [Reason.TruncatedEthernet]: wire(cut(13)),
  [Reason.UnknownEtherType]: wire(ethernet({}, 0x88cc, new Uint8Array(46))),
  [Reason.TooManyTags]: wire(tcpFrame({ tags: [{ vid: 1 }, { vid: 2 }, { vid: 3 }] })),
  [Reason.TruncatedIp]: wire(cut(30)),
  [Reason.BadIpVersion]: wire(ethernet({}, 0x0800, new Uint8Array(40))),
  [Reason.BadIpHeaderLength]: wire(ethernet({}, 0x0800, Uint8Array.of(0x41, ...new Uint8Array(39)))),
  [Reason.BadIpTotalLength]: wire(tcpFrame({ ipLength: 5000 })),
  [Reason.BadIpChecksum]: wire(tcpFrame({ ipChecksum: 0x1234 })),
  [Reason.Fragment]: wire(tcpFrame({ ...valid, moreFragments: true })),
  [Reason.TooManyExtensionHeaders]: wire(
    tcpFrame({ src: 'fd00::9', dst: 'fd00::2', extensions: Array.from({ length: 9 }, () => hopByHop()) }),
  ),
  [Reason.NotTcp]: wire(ipFrame({}, 17, new Uint8Array(8))),
  [Reason.TruncatedTcp]: wire(cut(14 + 20 + 10), 54),
  [Reason.BadTcpDataOffset]: wire(tcpFrame({ dataOffset: 4 })),
  [Reason.BadTcpFlags]: wire(tcpFrame({ flags: 'SF' })),
  [Reason.BadTcpOption]: wire(tcpFrame({ options: [Uint8Array.of(8, 1, 0, 0)] })),
  [Reason.TruncatedPayload]: (world) => {
    const flow = new Flow(world).established().recovered();
    const frame = flow.frame(flow.client, 'PA', { payload: 'hello' });
    world.receive(Port.Wire, frame.subarray(0, frame.length - 1), frame.length);
  },
  [Reason.BadTcpChecksum]: wire(tcpFrame({ ...valid, checksum: 0x1234 })),
  [Reason.TruncatedIcmp]: wire(cut(14 + 20 + 4, echoRequestFrame()), 42),
  [Reason.IcmpNotOurs]: wire(icmpErrorFrame({ type: 3 }, tcpFrame())),
  [Reason.TruncatedArp]: wire(cut(30, arpFrame())),
  [Reason.ArpNotOurs]: wire(arpFrame()),
  [Reason.NotOurs]: wire(tcpFrame({ dst: '10.0.0.200' })),
  [Reason.NoConnection]: wire(tcpFrame({ ...valid, flags: 'R' })),
  [Reason.InvalidState]: (world) => new Flow(world).closed().client.ack(),
  [Reason.SeqAboveWindow]: (world) => {
    const flow = new Flow(world).established();
    flow.client.data('x', { seq: flow.client.next + 100_000 });
  },
  [Reason.SeqBelowWindow]: (world) => {
    const flow = new Flow(world).established();
    flow.client.ack({ seq: (flow.client.next - 100_000) >>> 0 });
  },
  [Reason.AckAboveWindow]: (world) => {
    const flow = new Flow(world).established();
    flow.client.ack({ ack: flow.client.received + 100_000 });
  },
  [Reason.AckBelowWindow]: (world) => {
    const flow = new Flow(world).established();
    flow.client.ack({ ack: flow.client.received - 100_000 });
  },
  [Reason.RstOutOfWindow]: (world) => {
    const flow = new Flow(world).established();
    flow.client.rst({ seq: flow.client.next + 1 });
  },
  [Reason.SynOnLive]: (world) => new Flow(world).established().client.syn({ seq: 5 }),
  [Reason.Quarantined]: (world) => {
    const flow = new Flow(world).established();
    world.setQuarantine(true);
    flow.primary.rst();
  },
  [Reason.FromPrimary]: (world) => new Flow(world).established().recovered().primary.ack(),
  [Reason.TableFull]: (world) => {
    for (let i = 0; i < 64; i++) new Flow(world, { clientPort: 1 + i }).client.ack().primary.ack();
    new Flow(world, { clientPort: 100 }).client.ack();
  },
  [Reason.HalfOpenBudget]: (world) => {
    for (let i = 0; i < 9; i++) new Flow(world, { clientPort: 1 + i }).synSent();
  },
  [Reason.ServerClosed]: (world) => {
    const flow = new Flow(world).serverFin().client.ack().recovered();
    flow.stack.data('late');
  },
  [Reason.NotLive]: (world) => new Flow(world).established().crash().client.data('early'),
  [Reason.Absorbed]: (world) => new Flow(world).established().crash().accept(),
  [Reason.TxQueueFull]: (world) => {
    // A merged frame for a remote replica with a tiny MSS makes more segments than the queue has places.
    world.addService({ address: '10.0.0.7', ports: [7000], remote: true });
    const options = { server: '10.0.0.7', remote: true, service: 1, replicaOffer: { mss: 48 } };
    new Flow(world, options).established().recovered().client.data(60_000);
  },
  [Reason.TooBig]: (world) => {
    world.setPort(Port.Stack, 576, '02:00:00:00:00:99', '02:00:00:00:00:5a');
    new Flow(world).established().recovered().client.data(1000);
  },
  [Reason.TruncatedNd]: wire(
    icmpFrame({ src: 'fe80::9', dst: 'ff02::1:ff00:2', type: 135, ttl: 255, body: new Uint8Array(3) }),
  ),
  [Reason.UnsolicitedSynAck]: (world) => new Flow(world).primary.segment('SA'),
  [Reason.Withheld]: (world) => {
    world.addService({ address: '10.0.0.7', ports: [7000], flags: SERVICE_FLAG_SHADOW });
    const flow = new Flow(world, { server: '10.0.0.7', service: 1 }).established().accept();
    // The first answer completes its handshake: it is output already.
    flow.confirm();
  },
  [Reason.WithheldGap]: (world) => {
    world.addService({ address: '10.0.0.7', ports: [7000], flags: SERVICE_FLAG_SHADOW });
    const flow = new Flow(world, { server: '10.0.0.7', service: 1 }).shadowed();
    flow.stack.next += 1;
    flow.stack.data('behind');
  },
  [Reason.BadIpOption]: wire(tcpFrame({ ipOptions: Uint8Array.of(131, 7, 4, 10, 0, 0, 1) })),
};

/** Reasons that no frame causes, and why they are there. */
const UNREACHABLE: Partial<Record<Reason, string>> = {
  [Reason.None]: 'is what is not refused',
};

for (const build of BUILDS) {
  const count: number = Reason.Count;
  for (let reason = 0; reason < count; reason++) {
    const code = asCode<Reason>(reason);
    const unreachable = UNREACHABLE[code];
    if (unreachable !== undefined) {
      test(`${build}: no frame is refused as ${reasonName(reason)}: it ${unreachable}`, (t) => {
        for (const run of Object.values(CASES)) {
          const world = new World(build);
          run(world);
          t.is(world.refused(code), 0);
        }
      });
      continue;
    }
    test(`${build}: refused as ${reasonName(reason)}`, (t) => {
      const run = CASES[code];
      if (run === undefined) return t.fail('no case');
      const world = new World(build);
      run(world);
      t.is(world.refused(code), 1);
    });
  }

  test(`${build}: what is not for the core is neither refused nor answered`, (t) => {
    const world = new World(build);
    t.deepEqual(world.receive(Port.Wire, icmpFrame({ type: 0 })), []);
    t.deepEqual(world.receive(Port.Wire, neighborSolicitationFrame({ target: 'ff02::5' })), []);
    t.is(world.refused(Reason.NotTcp), 2);
  });

  test(`${build}: damage to lengths is refused before anything is read behind it`, (t) => {
    const world = new World(build);
    for (let length = 0; length < 54; length++) world.receive(Port.Wire, tcpFrame(valid).subarray(0, length));
    t.is([...world.records()].length, 0);
    t.is(
      world.refusals().reduce((sum, n) => sum + n, 0),
      54,
    );
  });
}
