/** RST and FIN of a primary under suspicion: held back, and what becomes of them. */
import test from 'ava';
import { Reason, TcpState } from '../../assembly/abi/codes';
import { CONNECTION_FLAG_RST_PENDING, FLOW_FLAG_FIN, FLOW_FLAG_FIN_PENDING } from '../../assembly/abi/layout';
import { Flow } from '../support/flow';
import { World } from '../support/world';

const BUILDS = ['debug', 'release'] as const;

for (const build of BUILDS) {
  const suspected = (): Flow => {
    const flow = new Flow(new World(build)).established();
    flow.world.setQuarantine(true);
    return flow;
  };

  test(`${build}: a RST of the suspected primary does not end the connection`, (t) => {
    const flow = suspected();
    flow.primary.rst();
    t.is(flow.record().state, TcpState.Established);
    t.is(flow.record().flags & CONNECTION_FLAG_RST_PENDING, CONNECTION_FLAG_RST_PENDING);
    t.is(flow.world.refused(Reason.Quarantined), 1);
    t.is(flow.recovered().record().state, TcpState.Established);
    t.is(flow.client.data('still here').toReplica().length, 1);
  });

  test(`${build}: it counts once the primary has proved to live`, (t) => {
    const flow = suspected();
    flow.primary.rst();
    flow.world.setQuarantine(false);
    t.is(flow.record().state, TcpState.Closed);
  });

  test(`${build}: a RST outside the window counts in neither case`, (t) => {
    const flow = suspected();
    flow.primary.rst({ seq: flow.primary.next + 1 });
    flow.world.setQuarantine(false);
    t.is(flow.record().state, TcpState.Established);
  });

  test(`${build}: a FIN of the suspected primary that the client never acknowledged is forgotten`, (t) => {
    const flow = suspected();
    flow.primary.fin({ payload: 'last words' });
    t.is(flow.record().outbound.flags & (FLOW_FLAG_FIN | FLOW_FLAG_FIN_PENDING), FLOW_FLAG_FIN_PENDING);
    t.is(flow.record().state, TcpState.Established);
    flow.recovered();
    t.is(flow.record().outbound.flags & FLOW_FLAG_FIN, 0);
    t.is(flow.record().state, TcpState.Established);
    // Its payload was no part of the suspicion.
    t.deepEqual(
      flow.toClient().map(({ payload, flags }) => [Buffer.from(payload).toString(), flags]),
      [['last words', 'PA']],
    );
  });

  test(`${build}: a FIN that the client has acknowledged stands`, (t) => {
    const flow = suspected();
    flow.primary.fin();
    flow.client.ack();
    t.is(flow.record().outbound.flags & (FLOW_FLAG_FIN | FLOW_FLAG_FIN_PENDING), FLOW_FLAG_FIN);
    t.like(flow.record(), { state: TcpState.ServerFin, outbound: { end: flow.primary.next } });
  });

  test(`${build}: a forged or damaged FIN under quarantine changes nothing`, (t) => {
    for (const forged of [
      { offset: -500_000, checksum: 'full' },
      { offset: 1_000_000, checksum: 'full' },
      { offset: 0, checksum: 0x1234 },
    ] as const) {
      const flow = suspected();
      const before = flow.bytes();
      flow.primary.fin({ seq: (flow.primary.next + forged.offset) >>> 0, checksum: forged.checksum });
      t.deepEqual(flow.bytes(), before, `offset ${forged.offset}`);
      flow.client.received = flow.primary.next;
      flow.client.ack();
      t.is(flow.record().state, TcpState.Established);
    }
  });
}
