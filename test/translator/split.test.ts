/** Segments that are built anew from the payload of one: what they take over from it. */
import test from 'ava';
import { Reason } from '../../assembly/abi/codes';
import { Flow, type FlowOptions } from '../support/flow';
import { nop, sack, timestamps } from '../support/frames';
import { World } from '../support/world';

const BUILDS = ['debug', 'release'] as const;
/** Both ECN bits: the network has marked congestion (RFC 3168 5). */
const MARKED = 3;

for (const build of BUILDS) {
  const live = (options: FlowOptions): Flow => {
    const v6 = options.client?.includes(':') ?? false;
    const addresses = v6 ? { address: 'fd00::2', replica: 'fd00::3' } : {};
    const world = new World(build, { services: [{ ...addresses, remote: options.remote ?? false }] });
    return new Flow(world, options).established().primary.ack().recovered();
  };

  for (const client of ['10.0.0.9', 'fd00::9']) {
    test(`${build}: congestion that the network has marked is marked in every part: ${client}`, (t) => {
      const flow = live({ client, remote: true, clientOffer: { mss: 536, ecn: true }, primaryOffer: { ecn: true } });
      flow.client.data(3000, { tos: MARKED });
      const v6 = client.includes(':');
      const mark = ({ bytes }: { readonly bytes: Uint8Array }): number =>
        v6 ? ((bytes[15] ?? 0) >> 4) & 3 : (bytes[15] ?? 0) & 3;
      t.deepEqual(flow.toReplica().map(mark), [MARKED, MARKED, MARKED]);
      flow.take().stack.data(1000, { tos: MARKED });
      t.deepEqual(flow.toClient().map(mark), [MARKED, MARKED]);
    });
  }

  test(`${build}: ECN signals do not reach a replica that has not agreed, in no part`, (t) => {
    const flow = live({ remote: true, clientOffer: { ecn: true }, primaryOffer: { ecn: true } });
    flow.client.segment('PAEC', { payload: new Uint8Array(3000) });
    t.deepEqual(
      flow.toReplica().map(({ flags }) => flags),
      ['A', 'A', 'PA'],
    );
    const agreed = { ecn: true };
    const other = live({ remote: true, clientOffer: agreed, primaryOffer: agreed, replicaOffer: agreed });
    other.client.segment('PAEC', { payload: new Uint8Array(3000) });
    t.deepEqual(
      other.toReplica().map(({ flags }) => flags),
      ['AEC', 'AE', 'PAE'],
    );
  });

  test(`${build}: parts have the times of their segment, not the latest`, (t) => {
    const offer = { tsval: 5000 } as const;
    const flow = live({ remote: true, clientOffer: { ...offer, mss: 536 }, primaryOffer: offer, replicaOffer: offer });
    const told = flow.stack.ack().toClient()[0]?.timestamps?.[0] ?? 0;
    const first = flow.client.next;
    flow.client.data('x', { options: [nop(), nop(), timestamps(9000, told)] });
    // An old duplicate, merged: the replica has to see its age (RFC 7323 5).
    flow.client.data(3000, { seq: first, options: [nop(), nop(), timestamps(6000, told)] });
    t.deepEqual(
      flow.toReplica().map((part) => part.timestamps),
      [0, 1, 2].map(() => [6000, 5000]),
    );
    // The answer to it tells how long the answered segment took, not a later one (RFC 7323 4.1).
    flow.stack.data(1000, { options: [nop(), nop(), timestamps(5007, 6000)] });
    t.deepEqual(
      flow.toClient().map((part) => part.timestamps),
      [0, 1].map(() => [told + 7, 6000]),
    );
  });

  test(`${build}: a payload that leaves no room for its SACK blocks is split: of merged frames only the first is full`, (t) => {
    const offer = { sack: true } as const;
    const flow = live({ clientOffer: offer, primaryOffer: offer, replicaOffer: offer });
    const block: [number, number] = [flow.client.next + 10, flow.client.next + 20];
    flow.stack.data(1460, { options: [nop(), nop(), sack(block)] });
    t.deepEqual(
      flow.toClient().map((part) => [part.payload.length, part.sack]),
      [
        [1448, [block]],
        [12, [block]],
      ],
    );
    t.is(flow.world.refused(Reason.TooBig), 0);
    flow.stack.data(1448, { options: [nop(), nop(), sack(block)] });
    t.is(flow.toClient().length, 1);
  });
}
