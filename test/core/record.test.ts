/** What is kept of the client's stream, and what becomes of a connection when it is not all of it. */
import test from 'ava';
import { Counter, Loss, Phase, Port, RecordState, Risk } from '../../assembly/abi/codes';
import { SERVICE_FLAG_FALLBACK_RESUME, SERVICE_FLAG_REPLAY, SERVICE_FLAG_SHADOW } from '../../assembly/abi/layout';
import { Flow } from '../support/flow';
import { World } from '../support/world';

const BUILDS = ['debug', 'release'] as const;
type Build = (typeof BUILDS)[number];

const BLOCK_BYTES = 2048;
const SMALL = { recordPerConnection: 10_000, recordBytes: 1 << 20 };

const make = (build: Build, flags: number, capacity = {}): Flow =>
  new Flow(new World(build, { services: [{ flags }], capacity }));

/** The client sends as much, the primary reads it, and the replica too if it reads along. */
function talk(flow: Flow, bytes: number, reads = false): void {
  for (let left = bytes; left > 0; left -= 1000) {
    flow.client.data(Math.min(left, 1000));
    if (reads) flow.take().stack.ack();
    flow.primary.ack();
  }
}

for (const build of BUILDS) {
  test(`${build}: all is kept, acknowledged or not, until the connection is over`, (t) => {
    const flow = make(build, SERVICE_FLAG_REPLAY).established();
    talk(flow, 20_000);
    t.is(flow.record().record, RecordState.Complete);
    t.is(flow.record().inbound.retained, 20_000);
    t.is(flow.world.recordedUsed(), Math.ceil(20_000 / (BLOCK_BYTES - 12)) * BLOCK_BYTES);
    flow.client.fin().primary.fin();
    flow.client.ack();
    t.is(flow.world.recordedUsed(), 0);
    t.is(flow.world.retainedUsed(), 0);
  });

  test(`${build}: a service that resumes records nothing`, (t) => {
    const flow = make(build, 0).established();
    talk(flow, 5000);
    t.is(flow.record().record, RecordState.None);
    t.is(flow.world.retainedUsed(), 0);
    t.is(flow.world.recordedUsed(), 0);
  });

  test(`${build}: a record that outgrows its budget is lost, with its reason, and its bytes are free again`, (t) => {
    const flow = make(build, SERVICE_FLAG_REPLAY, SMALL).established();
    talk(flow, 9000);
    t.is(flow.record().risk, Risk.None);
    talk(flow, 3000);
    t.is(flow.record().record, RecordState.Lost);
    t.is(flow.record().risk, Risk.RecordBudget);
    t.is(flow.world.counted(Counter.RecordsLost), 1);
    t.is(flow.world.recordedUsed(), 0);
    t.is(flow.world.retainedUsed(), 0);
    flow.crash();
    t.is(flow.record().loss, Loss.RecordIncomplete);
    t.like(flow.toClient()[0], { flags: 'RA' });
    t.deepEqual(flow.toReplica(), []);
  });

  test(`${build}: the budget of all records is another one's too`, (t) => {
    const world = new World(build, {
      services: [{ flags: SERVICE_FLAG_REPLAY }],
      capacity: { recordBytes: 16 * BLOCK_BYTES, recordPerConnection: 1 << 20 },
    });
    const flows = [0, 1, 2].map((i) => new Flow(world, { clientPort: 40_000 + i }).established());
    for (const flow of flows) talk(flow, 14_000);
    t.deepEqual(
      flows.map((flow) => flow.record().record),
      [RecordState.Complete, RecordState.Complete, RecordState.Lost],
    );
    t.true(world.recordedUsed() <= 16 * BLOCK_BYTES);
    // And what is not yet acknowledged has its own.
    flows[2]?.client.data(500);
    t.is(flows[2]?.record().inbound.retained, 500);
  });

  test(`${build}: what cannot be replayed is resumed where the service says so`, (t) => {
    const flow = make(build, SERVICE_FLAG_REPLAY | SERVICE_FLAG_FALLBACK_RESUME, SMALL).established();
    talk(flow, 12_000);
    flow.client.data('unread');
    t.is(flow.record().risk, Risk.RecordBudget);
    const [syn] = flow.crash().toReplica();
    t.is(syn?.seq, flow.client.next - 6 - 1);
    flow.accept();
    t.is(flow.stream(flow.toReplica(), flow.client.next - 6), 'unread');
    flow.confirm();
    t.is(flow.record().phase, Phase.Live);
    flow.stack.data('go on');
    t.is(flow.toClient()[0]?.seq, flow.primary.next);
  });

  test(`${build}: a replica that has read what no longer fits lets the record be trimmed`, (t) => {
    const flow = make(build, SERVICE_FLAG_SHADOW, SMALL).shadowed();
    talk(flow, 9000, true);
    t.is(flow.record().record, RecordState.Complete);
    talk(flow, 9000, true);
    t.is(flow.record().record, RecordState.Trimmed);
    t.is(flow.record().risk, Risk.None);
    t.true(flow.record().inbound.retained < 3000);
    t.is(flow.record().phase, Phase.Withheld);
    flow.client.data('the rest').crash();
    t.is(flow.record().phase, Phase.Live);
    t.is(flow.stream(flow.toReplica(flow.all), flow.client.next - 8), 'the rest');
  });

  test(`${build}: a replica that ends after the record was trimmed cannot be replaced`, (t) => {
    const flow = make(build, SERVICE_FLAG_SHADOW, SMALL).shadowed();
    talk(flow, 18_000, true);
    flow.stack.rst();
    t.is(flow.record().record, RecordState.Lost);
    t.is(flow.record().risk, Risk.RecordBudget);
    flow.note(flow.world.run(5000));
    t.deepEqual(flow.sent, []);
    t.is(flow.world.working(), 0);
    flow.crash();
    t.is(flow.record().loss, Loss.RecordIncomplete);
  });

  test(`${build}: a replica that reads too slowly for the record is let go of`, (t) => {
    const flow = make(build, SERVICE_FLAG_SHADOW, SMALL).shadowed();
    talk(flow, 12_000);
    t.is(flow.record().record, RecordState.Lost);
    t.is(flow.record().risk, Risk.RecordBudget);
    t.is(flow.record().phase, Phase.Direct);
    t.like(flow.toReplica(flow.all).at(-1), { flags: 'R' });
    t.true(flow.all.every(({ port }) => port === Port.Stack));
    t.is(flow.world.recordedUsed(), 0);
  });

  test(`${build}: bytes that the tap missed and the primary read are a hole in the record`, (t) => {
    for (const flags of [SERVICE_FLAG_REPLAY, SERVICE_FLAG_SHADOW]) {
      const flow = make(build, flags).established();
      if (flags === SERVICE_FLAG_SHADOW) flow.accept().confirm();
      flow.client.data(100);
      flow.client.next += 50;
      flow.client.data(100);
      t.is(flow.record().record, RecordState.Complete);
      flow.primary.ack();
      t.is(flow.record().record, RecordState.Lost);
      t.is(flow.record().risk, Risk.InboundHole);
      t.is(flow.record().holeSeq, 1101);
      t.is(flow.record().holeBytes, 50);
      t.is(flow.record().phase, Phase.Direct);
      flow.crash();
      t.is(flow.record().loss, Loss.RecordIncomplete);
    }
  });

  test(`${build}: a hole that the client fills before the primary reads on is none`, (t) => {
    const flow = make(build, SERVICE_FLAG_REPLAY).established();
    flow.client.next += 5;
    flow.client.data(' world');
    flow.client.data('hello', { seq: 1001 });
    flow.primary.ack();
    t.is(flow.record().record, RecordState.Complete);
    t.is(flow.record().risk, Risk.None);
    flow.crash().accept();
    t.is(flow.stream(flow.toReplica(), 1001), 'hello world');
  });

  test(`${build}: the first copy of a byte stays`, (t) => {
    const flow = make(build, SERVICE_FLAG_REPLAY).established().client.data('right');
    flow.client.data('wrong', { seq: 1001 }).primary.ack();
    flow.client.data('wrong', { seq: 1001 });
    flow.crash().accept();
    t.is(flow.stream(flow.toReplica(), 1001), 'right');
  });

  test(`${build}: what the client said when it had heard more waits until the replica has said as much`, (t) => {
    const flow = make(build, SERVICE_FLAG_REPLAY).established();
    flow.primary.data('220 ').client.data('EHLO ');
    flow.primary.data('250 ').client.data('QUIT ');
    flow.primary.data('221 ').primary.fin();
    flow.client.ack().client.fin();
    const read = (): string => flow.stream(flow.toReplica(flow.all), 1001);
    flow.crash().accept().confirm();
    t.is(read(), '');
    flow.stack.data('220').drainToReplica();
    t.is(read(), '');
    flow.stack.data(' ').drainToReplica();
    t.is(read(), 'EHLO ');
    flow.stack.data('250 ').drainToReplica();
    t.is(read(), 'EHLO QUIT ');
    t.false(flow.toReplica(flow.all).some(({ flags }) => flags.includes('F')));
    flow.stack.data('221 ').stack.fin();
    t.true(flow.toReplica(flow.all).some(({ flags }) => flags.includes('F')));
  });

  test(`${build}: a record is as long as its budget, in which the SYN counts too`, (t) => {
    const flow = make(build, SERVICE_FLAG_REPLAY, SMALL).established();
    talk(flow, 9999);
    t.is(flow.record().record, RecordState.Complete);
    talk(flow, 1);
    t.is(flow.record().record, RecordState.Lost);
  });

  test(`${build}: a hole of one byte, where the primary reads on, is a hole`, (t) => {
    const flow = make(build, SERVICE_FLAG_REPLAY).established();
    talk(flow, 10);
    flow.client.next += 1;
    talk(flow, 10);
    t.like(flow.record(), { record: RecordState.Lost, risk: Risk.InboundHole, holeSeq: 1011, holeBytes: 1 });
  });

  test(`${build}: a service that resumes does not note what its clients had heard`, (t) => {
    const flow = make(build, 0).established();
    for (let i = 0; i < 10; i++) flow.primary.data('?').client.data('!');
    t.is(flow.world.recordedUsed(), 0);
  });

  test(`${build}: a segment that does not fit the record is kept until it is acknowledged all the same`, (t) => {
    const capacity = { recordBytes: 16 * BLOCK_BYTES, recordPerConnection: 1 << 20 };
    const flow = make(build, SERVICE_FLAG_REPLAY | SERVICE_FLAG_FALLBACK_RESUME, capacity).established();
    const blocks = 16 * (BLOCK_BYTES - 16);
    talk(flow, blocks - 500);
    const seq = flow.client.next;
    flow.client.data(1400);
    t.like(flow.record(), { record: RecordState.Lost, holeSeq: seq + 500, holeBytes: 900 });
    t.is(flow.crash().toReplica()[0]?.seq, seq - 1);
    flow.accept().confirm();
    const read = Buffer.from(flow.stream(flow.toReplica(flow.all), seq), 'latin1');
    t.deepEqual(read, Buffer.from(flow.client.pattern(seq, 1400)));
  });

  for (const reads of ['all', 'one block'] as const) {
    test(`${build}: a segment that does not fit beside a replica takes the place of what that has read: ${reads}`, (t) => {
      const capacity = { recordBytes: 16 * BLOCK_BYTES, recordPerConnection: 1 << 20 };
      const flow = make(build, SERVICE_FLAG_SHADOW | SERVICE_FLAG_FALLBACK_RESUME, capacity).shadowed();
      const block = BLOCK_BYTES - 16;
      const spare = reads === 'all' ? 500 : 0;
      talk(flow, block, true);
      talk(flow, 15 * block - spare, reads === 'all');
      t.is(flow.record().record, RecordState.Complete);
      const seq = flow.client.next;
      flow.client.data(2 * block);
      if (reads === 'all') {
        t.like(flow.record(), { record: RecordState.Trimmed, risk: Risk.None });
        flow.crash();
      } else {
        // Only one block could be let go of.
        t.like(flow.record(), { record: RecordState.Lost, holeSeq: seq + block, holeBytes: block });
        flow.crash().accept().confirm();
      }
      const read = Buffer.from(flow.stream(flow.toReplica(flow.all), seq), 'latin1');
      t.deepEqual(read, Buffer.from(flow.client.pattern(seq, 2 * block)));
    });
  }

  test(`${build}: of a trimmed record goes what both have read, whoever is first`, (t) => {
    for (const first of ['replica', 'primary'] as const) {
      const flow = make(build, SERVICE_FLAG_SHADOW, SMALL).shadowed();
      talk(flow, 18_000, true);
      t.is(flow.record().record, RecordState.Trimmed);
      flow.client.data(6000).take();
      const kept = flow.record().inbound.retained;
      t.true(kept >= 6000);
      if (first === 'replica') flow.stack.ack().primary.ack();
      else flow.primary.ack().stack.ack();
      t.is(flow.record().inbound.retained, 0);
    }
  });

  test(`${build}: a client that speaks when it has heard the server's end, or all but that, is answered to as much`, (t) => {
    for (const heard of ['end', 'bytes'] as const) {
      const flow = make(build, SERVICE_FLAG_REPLAY).established();
      flow.primary.data('bye').primary.fin();
      if (heard === 'bytes') flow.client.received -= 1;
      flow.client.data('x');
      flow.crash().accept().confirm();
      flow.stack.data('by').drainToReplica();
      t.is(flow.stream(flow.toReplica(flow.all), 1001), '', heard);
      flow.stack.data('e').drainToReplica();
      t.is(flow.stream(flow.toReplica(flow.all), 1001), 'x', heard);
    }
  });

  test(`${build}: a replica that reads along need not close before it gets the answer to that`, (t) => {
    const flow = make(build, SERVICE_FLAG_SHADOW).shadowed();
    flow.primary.data('bye').primary.fin();
    flow.client.data('x');
    flow.stack.data('by');
    t.is(flow.stream(flow.toReplica(flow.all), 1001), '');
    flow.stack.data('e');
    t.is(flow.stream(flow.toReplica(flow.all), 1001), 'x');
  });

  test(`${build}: a single byte of the primary's is compared too`, (t) => {
    const flow = make(build, SERVICE_FLAG_REPLAY).established();
    flow.primary.data('a').client.ack();
    flow.crash().accept().confirm().stack.data('b');
    t.deepEqual(flow.record().diverged, [0, 1]);
  });

  test(`${build}: output is not kept to be compared with a replica that is too far behind for that`, (t) => {
    const offer = { windowShift: 14, window: 0xffff };
    const world = new World(build, { services: [{ flags: SERVICE_FLAG_SHADOW }] });
    const flow = new Flow(world, { clientOffer: offer, primaryOffer: offer, replicaOffer: offer }).shadowed();
    for (let i = 0; i < 2; i++) {
      flow.primary.next = (flow.primary.next + 1e9) >>> 0;
      flow.client.received = flow.primary.next;
      flow.client.ack();
    }
    flow.primary.data(100);
    t.is(world.retainedUsed(), BLOCK_BYTES);
    flow.client.ack();
    t.is(world.recordedUsed(), 0);
    t.is(world.retainedUsed(), 0);
  });
}
