/** What is let go of when an end resets its connection, and what somebody still has to be given. */
import test from 'ava';
import { Phase, RecordState, TcpState } from '../../assembly/abi/codes';
import { replay, shadow } from '../support/copies';
import { Flow } from '../support/flow';
import { World } from '../support/world';

const BUILDS = ['debug', 'release'] as const;

for (const build of BUILDS) {
  test(`${build}: nothing of a connection is kept that either end has reset, whoever would have been its replica`, (t) => {
    for (const name of ['client', 'primary'] as const) {
      for (const flow of [
        new Flow(new World(build)).established(),
        replay(build).established(),
        shadow(build).shadowed(),
      ]) {
        flow.primary.data('?').client.data('!').primary.data('??');
        flow.client.ack().client.data(3000);
        flow.primary.data(3000, { ack: flow.client.next - 3000 });
        t.true(flow.world.retainedUsed() > 0);
        flow[name].rst();
        t.like(flow.record(), { state: TcpState.Closed, phase: Phase.Direct, record: RecordState.None });
        t.is(flow.world.retainedUsed(), 0);
        t.is(flow.world.recordedUsed(), 0);
      }
    }
  });

  test(`${build}: a replica that reads along gets the rest of what the primary has read, though the client forgets`, (t) => {
    const flow = shadow(build, { replicaOffer: { window: 2000 } }).shadowed();
    flow.client.data(10_000).client.fin();
    flow.primary.ack().primary.fin();
    flow.client.ack();
    t.is(flow.record().state, TcpState.TimeWait);
    flow.client.rst();
    t.like(flow.record(), { state: TcpState.TimeWait, phase: Phase.Withheld });
    flow.note(flow.all).drainToReplica();
    t.is(flow.stack.received, flow.client.next);
    flow.stack.fin();
    t.is(flow.record().phase, Phase.Direct);
    t.is(flow.world.recordedUsed(), 0);
  });

  test(`${build}: a replica gets what its client had sent before it reset the connection`, (t) => {
    const flow = new Flow(new World(build), { replicaOffer: { window: 2000 } }).established();
    flow.client.data(10_000);
    flow.crash().accept().confirm();
    t.is(flow.record().phase, Phase.Live);
    const fed = flow.sent;
    t.is(flow.client.rst().record().state, TcpState.Closed);
    flow.note(fed).drainToReplica();
    t.is(flow.stack.received, flow.client.next);
  });
}
