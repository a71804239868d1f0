/** Bytes of either end that are not in the store: which of them are a risk, where they lie, and when they are none any more. */
import test from 'ava';
import { Port, Risk } from '../../assembly/abi/codes';
import { replay } from '../support/copies';
import { type End, Flow } from '../support/flow';
import { mptcpCapable, mss } from '../support/frames';
import { World, type WorldOptions } from '../support/world';

const BUILDS = ['debug', 'release'] as const;

/** The segment is longer than the tap's snapshot by so many bytes. */
function cut(end: End, length: number, missing: number, seq = end.next): Flow {
  const { flow } = end;
  const frame = flow.frame(end, 'PA', { payload: end.pattern(seq, length), seq });
  end.next = seq + length;
  end.peer.received = end.next;
  return flow.note(flow.world.receive(Port.Wire, frame.subarray(0, frame.length - missing), frame.length));
}

for (const build of BUILDS) {
  const fresh = (options: WorldOptions = {}): Flow => new Flow(new World(build, options)).established();

  test(`${build}: a gap in the server's bytes is a risk until a segment has filled all of it`, (t) => {
    const flow = fresh();
    const first = flow.primary.next;
    flow.primary.data(100, { seq: first + 100 });
    t.like(flow.record(), { risk: Risk.OutboundHole, holeSeq: first, holeBytes: 100 });
    for (const [from, length] of [
      [0, 99],
      [1, 99],
    ] as const) {
      t.is(flow.primary.data(length, { seq: first + from }).record().risk, Risk.OutboundHole);
    }
    t.is(flow.primary.data(100, { seq: first }).record().risk, Risk.None);
    const other = fresh();
    other.primary.data(100).primary.data(100, { seq: first + 200 });
    t.is(other.record().risk, Risk.OutboundHole);
    t.is(other.primary.data(300, { seq: first }).record().risk, Risk.None);
  });

  test(`${build}: a gap in the server's bytes is none of those that the server acknowledges`, (t) => {
    // The client's numbers lie behind the server's.
    const flow = new Flow(new World(build), { clientOffer: { isn: 900_000 } }).established();
    flow.primary.data(100, { seq: flow.primary.next + 100 });
    flow.client.data(10).primary.ack();
    t.is(flow.record().risk, Risk.OutboundHole);
  });

  test(`${build}: what is uncertain for the life of a connection is so again when its gap has been filled`, (t) => {
    const options = [mss(1460), mptcpCapable()];
    const flow = new Flow(new World(build)).client.syn({ options }).primary.synAck({ options }).client.ack();
    const first = flow.primary.next;
    t.is(flow.record().risk, Risk.Mptcp);
    t.is(flow.primary.data(100, { seq: first + 100 }).record().risk, Risk.OutboundHole);
    t.is(flow.primary.data(100, { seq: first }).record().risk, Risk.Mptcp);
  });

  test(`${build}: a gap in the client's bytes is a risk when the server has acknowledged it, and not before`, (t) => {
    const flow = fresh();
    flow.client.next += 50;
    t.is(flow.client.data(10).record().risk, Risk.None);
    flow.client.data(60, { seq: 1001 });
    flow.client.next += 50;
    flow.primary.received = flow.client.next;
    t.like(flow.primary.ack().record(), { risk: Risk.InboundHole, holeSeq: 1061, holeBytes: 50 });
    // Whatever the client goes on to read.
    flow.primary.data(10);
    t.is(flow.client.ack().record().risk, Risk.InboundHole);
  });

  test(`${build}: where the replica says everything itself no gap of the server's is a risk`, (t) => {
    const flow = replay(build).established();
    flow.primary.data(100, { seq: flow.primary.next + 100 });
    t.is(flow.record().risk, Risk.None);
    t.is(cut(flow.primary, 100, 30).record().risk, Risk.None);
    const live = fresh().recovered();
    live.stack.data(100, { seq: live.stack.next + 100 });
    t.is(live.record().risk, Risk.None);
  });

  test(`${build}: of a server's segment that the tap cut short the rest is missing`, (t) => {
    for (const missing of [1, 30]) {
      const flow = fresh();
      const end = flow.primary.next + 100;
      cut(flow.primary, 100, missing);
      t.like(flow.record(), { risk: Risk.OutboundHole, holeSeq: end - missing, holeBytes: missing });
      t.is(flow.client.ack().record().risk, Risk.None);
      // The client has it: that it is sent again is of no interest.
      t.is(cut(flow.primary, 100, missing, end - 100).record().risk, Risk.None);
    }
    t.is(cut(fresh().client, 100, 30).record().risk, Risk.None);
  });

  test(`${build}: of a server's segment that does not fit the store nothing is kept`, (t) => {
    const flow = fresh({ capacity: { retainedPerConnection: 1000 } });
    const first = flow.primary.next;
    flow.primary.data(900).primary.data(300);
    t.like(flow.record(), { risk: Risk.RetainedBudget, holeSeq: first + 900, holeBytes: 300 });
  });

  test(`${build}: of a segment that the client has in part the rest is kept`, (t) => {
    const flow = fresh();
    const first = flow.primary.next;
    flow.primary.data(100).client.ack();
    flow.primary.data(150, { seq: first + 50 });
    t.is(flow.record().outbound.retained, 100);
    flow.recovered();
    t.is(
      flow.stream(flow.toClient(), first + 100),
      Buffer.from(flow.primary.pattern(first + 100, 100)).toString('latin1'),
    );
  });

  test(`${build}: what goes through the translator is not kept, nor what belongs to no service`, (t) => {
    const flow = fresh().recovered();
    flow.client.data(100).take().stack.data(100);
    t.is(flow.world.retainedUsed(), 0);
    const world = new World(build);
    world.core.exports.trackAll(1);
    const other = new Flow(world, { serverPort: 7001 }).established().client.data(100).primary.data(100);
    t.is(other.record().outbound.end, other.primary.next);
    t.is(world.retainedUsed(), 0);
  });
}
