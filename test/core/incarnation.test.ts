/** What an old connection leaves behind: reuse while the tap saw it alive, a primary that returns, merged lengths. */
import test from 'ava';
import { Loss, Phase, Port, Reason, RecordState, Risk, ServiceState, TcpState } from '../../assembly/abi/codes';
import { CONNECTION_FLAG_HANDSHAKE } from '../../assembly/abi/layout';
import { replay, shadow } from '../support/copies';
import { Flow } from '../support/flow';
import { tcpOption } from '../support/frames';
import { World } from '../support/world';

const BUILDS = ['debug', 'release'] as const;

for (const build of BUILDS) {
  test(`${build}: a server that answers a SYN for what the tap held for alive has begun a new connection`, (t) => {
    const offers = { clientOffer: { windowShift: 7, window: 1000 }, primaryOffer: { windowShift: 3, window: 1000 } };
    const flow = new Flow(new World(build), offers).established().client.data(500);
    const isn = 77_000_000;
    flow.client.syn({ seq: isn });
    flow.client.next = isn + 1;
    flow.primary.received = isn + 1;
    flow.primary.segment('SA', { seq: 99_000_000, options: flow.primary.synOptions(0), window: 1000 });
    t.like(flow.record(), { state: TcpState.SynReceived, risk: Risk.WindowScaleUnknown });
    t.is(flow.record().flags & CONNECTION_FLAG_HANDSHAKE, 0, 'what was agreed is not known');
    t.is(flow.world.retainedUsed(), 0);
    // Its scaled windows are not held for forged: 20,000 bytes on, well within the real window of 128,000.
    flow.primary.next = 99_000_001;
    flow.client.received = 99_000_001;
    flow.client.ack();
    flow.primary.data(1000, { seq: 99_000_001 + 20_000 });
    t.is(flow.world.refused(Reason.SeqAboveWindow), 0);
    t.is(flow.record().outbound.end, 99_000_001 + 21_000);
  });

  test(`${build}: moved connections go on when the primary has its address again, new ones are the primary's`, (t) => {
    const flow = new Flow(new World(build)).established().recovered();
    flow.world.setState(ServiceState.Proxy);
    flow.world.setState(ServiceState.Normal);
    t.deepEqual(flow.client.data('hello').toReplica()[0]?.payload, new TextEncoder().encode('hello'));
    flow.take().stack.data('world');
    t.deepEqual(flow.toClient()[0]?.payload, new TextEncoder().encode('world'));
    // The primary's stack knows nothing of it: what it says is not the connection's.
    const before = flow.bytes();
    flow.primary.segment('R', { seq: flow.client.received, ack: 0 });
    t.deepEqual(flow.bytes(), before);
    t.is(flow.world.refused(Reason.FromPrimary), 1);

    const fresh = new Flow(flow.world, { clientPort: 50_000 });
    t.deepEqual(fresh.established().sent, []);
    t.like(fresh.record(), { state: TcpState.Established, phase: Phase.Direct });
  });

  test(`${build}: a port used again after the primary's return belongs to the primary`, (t) => {
    const flow = new Flow(new World(build)).established().recovered().client.rst();
    flow.world.setState(ServiceState.Normal);
    t.deepEqual(flow.client.syn({ seq: 123_456 }).sent, []);
    t.like(flow.record(), { state: TcpState.SynSent, phase: Phase.Direct });
  });

  test(`${build}: a second crash moves what is new, and leaves what was moved`, (t) => {
    const world = new World(build);
    const old = new Flow(world).established().recovered();
    world.setState(ServiceState.Normal);
    const fresh = new Flow(world, { clientPort: 50_000 }).established();
    fresh.crash();
    t.deepEqual(
      fresh.toReplica().map(({ srcPort, flags }) => [srcPort, flags]),
      [[50_000, 'S']],
    );
    t.is(old.record().phase, Phase.Live);
    t.is(old.client.data('x').toReplica().length, 1);
  });

  test(`${build}: a merged frame whose IP length is 0 leaves with a length`, (t) => {
    const flow = new Flow(new World(build)).established().recovered();
    const frame = flow.frame(flow.client, 'PA', {
      payload: flow.client.pattern(0, 9000),
      ipLength: 0,
      checksum: 'partial',
    });
    const [passed] = flow.world.receive(Port.Wire, frame);
    t.is(passed?.kind === 'tcp' ? passed.payload.length : 0, 9000);
  });

  test(`${build}: nothing that was kept of the last connection is left when its server has begun another`, (t) => {
    const flow = replay(build).established();
    flow.primary.data('?').client.data('!').primary.data('??');
    flow.client.ack().primary.data(1000);
    t.is(flow.record().record, RecordState.Complete);
    const isn = 77_000_000;
    flow.client.syn({ seq: isn }).primary.segment('SA', { seq: 99_000_000, ack: isn + 1 });
    t.like(flow.record(), { state: TcpState.SynReceived, record: RecordState.None });
    t.is(flow.world.recordedUsed(), 0);
    t.is(flow.world.retainedUsed(), 0);
    // And that server has not begun a third one when somebody answers the same SYN again.
    flow.client.segment('A', { seq: isn + 1, ack: 99_000_001 });
    flow.primary.segment('SA', { seq: 55_000_000, ack: isn + 1 });
    t.is(flow.world.refused(Reason.UnsolicitedSynAck), 1);
    t.is(flow.record().outbound.isn, 99_000_000);
  });

  test(`${build}: a port that is used again: what its replica had done is no matter any more`, (t) => {
    const again = (flow: Flow): Flow => {
      flow.client.rst();
      return new Flow(flow.world, { clientOffer: { isn: 7_000_000 } }).established();
    };
    const refused = shadow(build).shadowed();
    refused.stack.rst();
    t.is(again(refused).toReplica()[0]?.flags, 'S', 'it is copied at once');
    const diverged = shadow(build).shadowed();
    diverged.primary.data('abc').stack.data('axc');
    t.deepEqual(diverged.record().diverged, [1, 2]);
    t.deepEqual(again(diverged).record().diverged, [0, 0]);
    const signed = new Flow(new World(build)).established();
    signed.client.data('x', { options: [tcpOption(19, new Array<number>(16).fill(1))] });
    t.is(signed.record().loss, Loss.Md5);
    t.is(again(signed).record().loss, Loss.None);
  });

  test(`${build}: a SYN-ACK that is repeated says nothing new, one of a connection whose SYN was not seen is nobody's`, (t) => {
    const flow = new Flow(new World(build)).established();
    flow.primary.segment('SA', { seq: flow.primary.offer.isn });
    t.is(flow.world.refused(Reason.UnsolicitedSynAck), 0);
    const running = new Flow(new World(build)).client.data('x');
    running.primary.segment('SA', { seq: 0 });
    t.is(running.world.refused(Reason.UnsolicitedSynAck), 1);
  });

  test(`${build}: a refusal that acknowledges nothing is not believed, whatever the number of the SYN`, (t) => {
    const flow = new Flow(new World(build), { clientOffer: { isn: 0xffff_ffff } }).synSent();
    flow.primary.segment('R', { seq: 0, ack: 0 });
    t.is(flow.world.refused(Reason.RstOutOfWindow), 1);
    t.is(flow.record().state, TcpState.SynSent);
  });

  test(`${build}: a SYN-ACK that was missed leaves the server's window scale unknown`, (t) => {
    const flow = new Flow(new World(build)).synSent();
    flow.client.received = 5000;
    flow.client.ack();
    t.like(flow.record(), { risk: Risk.WindowScaleUnknown, holeSeq: 0, holeBytes: 0 });
  });
}
