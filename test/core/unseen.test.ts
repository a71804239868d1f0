/** What of the primary never comes to the tap, and shows in what both ends say later: bytes, or its FIN. */
import test from 'ava';
import { Loss, Risk, TcpState } from '../../assembly/abi/codes';
import { FLOW_FLAG_FIN, FLOW_FLAG_FIN_PENDING } from '../../assembly/abi/layout';
import { shadow } from '../support/copies';
import { Flow } from '../support/flow';
import { World } from '../support/world';

const BUILDS = ['debug', 'release'] as const;

/** The primary sends so much out of the tap's sight. */
function missed(flow: Flow, numbers: number): Flow {
  flow.primary.next += numbers;
  flow.client.received = flow.primary.next;
  return flow;
}

for (const build of BUILDS) {
  test(`${build}: an acknowledgement of the server that lies ahead tells that bytes before it are missing`, (t) => {
    const flow = new Flow(new World(build)).established().client.data(10);
    const first = flow.primary.next;
    missed(flow, 100).primary.ack();
    t.like(flow.record(), { risk: Risk.OutboundHole, holeSeq: first, holeBytes: 100 });
    const lost = new Flow(new World(build)).established().client.data(10);
    missed(lost, 100).primary.ack().crash();
    t.is(lost.record().loss, Loss.ServerBytesMissing);
    t.is(flow.client.ack().record().risk, Risk.None);
    t.is(flow.crash().record().loss, Loss.None);
  });

  test(`${build}: where a replica closes the primary has closed too, if its last number was not that of a byte`, (t) => {
    const stories: readonly (readonly [string, TcpState, (flow: Flow) => Flow])[] = [
      // What the tap has of the primary, and the replica one byte less and its FIN.
      ['all bytes seen', TcpState.Established, (flow) => flow.primary.data('abcd').primary.ack()],
      ['bytes missed before', TcpState.Established, (flow) => missed(flow, 2).client.ack().primary.data('cd')],
      ['the FIN acknowledged', TcpState.ServerFin, (flow) => missed(flow.primary.data('abc'), 1).client.ack()],
      ['the FIN behind it', TcpState.ServerFin, (flow) => missed(flow.primary.data('abc'), 1).primary.ack()],
    ];
    for (const [name, state, story] of stories) {
      const flow = story(shadow(build).shadowed()).client.ack();
      flow.stack.data('abc').stack.fin();
      t.is(flow.record().state, state, name);
    }
  });

  test(`${build}: a FIN that is repeated under suspicion is the one that was sent before`, (t) => {
    const flow = new Flow(new World(build)).serverFin();
    flow.world.setQuarantine(true);
    const before = flow.record();
    t.deepEqual(flow.primary.fin().record(), before);
    t.is(before.outbound.flags & (FLOW_FLAG_FIN | FLOW_FLAG_FIN_PENDING), FLOW_FLAG_FIN);
  });

  test(`${build}: first words of a running connection's client that acknowledge all that was seen lack nothing`, (t) => {
    const flow = new Flow(new World(build));
    flow.primary.data(1000);
    flow.client.received -= 1000;
    t.is(flow.client.ack().record().risk, Risk.WindowScaleUnknown);
  });
}
