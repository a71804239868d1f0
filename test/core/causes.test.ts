/** What the client had heard before it spoke: a replica is not given an answer to what it has not asked. */
import test from 'ava';
import { Counter, Phase, RecordState, Risk, TcpState } from '../../assembly/abi/codes';
import { make, replay, shadow } from '../support/copies';
import type { Flow } from '../support/flow';
import { SERVICE_FLAG_SHADOW } from '../../assembly/abi/layout';

const BUILDS = ['debug', 'release'] as const;

const BLOCK_BYTES = 2048;
/** Of each change of turn, in the record. */
const MARK_BYTES = 16;

/** What the replica has been given of the client's stream. */
const read = (flow: Flow): string => flow.stream(flow.toReplica(flow.all), (flow.record().inbound.isn + 1) >>> 0);

/** The primary says something, the client answers, so many times. */
function converse(flow: Flow, turns: number): void {
  for (let i = 0; i < turns; i++) flow.primary.data('?').client.data('!');
}

for (const build of BUILDS) {
  test(`${build}: as many turns as the budget of a record holds are known, then it is lost`, (t) => {
    const flow = replay(build, {}, { capacity: { recordPerConnection: 2 * BLOCK_BYTES } }).established();
    converse(flow, (2 * BLOCK_BYTES) / MARK_BYTES);
    t.is(flow.record().record, RecordState.Complete);
    const seq = flow.client.next;
    converse(flow, 1);
    t.like(flow.record(), { record: RecordState.Lost, risk: Risk.RecordBudget, holeSeq: seq, holeBytes: 0 });
    t.is(flow.world.counted(Counter.RecordsLost), 1);
    t.is(flow.world.recordedUsed(), 0);
  });

  test(`${build}: a client that goes on without hearing anything new costs its bytes alone`, (t) => {
    const flow = replay(build).established();
    converse(flow, 1);
    const used = flow.world.recordedUsed();
    for (let i = 0; i < 500; i++) flow.client.data('x');
    t.is(flow.world.recordedUsed(), used);
  });

  test(`${build}: turns that both servers have taken cost nothing when the replica cannot be replaced any more`, (t) => {
    const flow = shadow(build, {}, { capacity: { recordPerConnection: 2 * BLOCK_BYTES } }).shadowed();
    for (let i = 0; i < 6; i++) {
      flow.client.data(1000).take().stack.ack();
      flow.primary.ack();
    }
    t.is(flow.record().record, RecordState.Trimmed);
    for (let i = 0; i < 400; i++) {
      flow.primary.data('?').stack.data('?').client.data('!').take().stack.ack();
      flow.primary.ack();
    }
    t.is(flow.record().record, RecordState.Trimmed);
    t.true(flow.world.recordedUsed() <= 3 * BLOCK_BYTES, `${flow.world.recordedUsed()} bytes`);
  });

  test(`${build}: a port that is used again: what its last connection had heard is of no account`, (t) => {
    const flow = replay(build).established();
    converse(flow, 20);
    flow.client.rst();
    t.is(flow.record().state, TcpState.Closed);
    flow.client.received = 0;
    flow.primary.received = 0;
    flow.established().primary.data('?').client.data('!');
    flow.crash().accept().confirm();
    t.is(read(flow), '');
    flow.stack.data('?').drainToReplica();
    t.is(read(flow), '!');
  });

  test(`${build}: an end that the client has heard counts as one byte of the replica's, and not as two`, (t) => {
    for (const [said, given] of [
      ['abc', 'next'],
      ['ab', ''],
    ] as const) {
      const flow = shadow(build).shadowed();
      flow.primary.data('abcd').client.data('next');
      flow.stack.data(said).stack.fin();
      t.is(read(flow), given, said);
    }
  });

  test(`${build}: what the client repeats it had said before, and what it says beside that has heard as much as it tells`, (t) => {
    const repeated = replay(build).established().client.data('A').primary.data('1234');
    const heard = repeated.client.received;
    repeated.client.data('A', { seq: 1001 });
    // Sent before that, and overtaken by it.
    repeated.client.data('B', { ack: heard - 4 });
    repeated.crash().accept().drainToReplica();
    t.is(read(repeated), 'AB');

    const longer = replay(build).established().client.data('ab').primary.data('?');
    longer.client.next -= 1;
    longer.client.data('bc');
    longer.crash().accept().drainToReplica();
    t.is(read(longer), 'ab');
    longer.stack.data('?').drainToReplica();
    t.is(read(longer), 'abc');
  });

  test(`${build}: a copy whose record the host has lost is let go of, wherever its turns had got to`, (t) => {
    const flow = make(SERVICE_FLAG_SHADOW)(build).shadowed();
    for (let i = 0; i < 5; i++) flow.primary.data('?').stack.data('?').client.data('!').take().stack.ack();
    flow.world.spillFailed(flow.record().index);
    t.is(flow.record().record, RecordState.Lost);
    flow.stack.data('!');
    t.is(flow.record().phase, Phase.Withheld);
    flow.client.data('!');
    t.is(flow.record().phase, Phase.Direct);
    t.like(flow.toReplica().at(-1), { flags: 'R' });
  });
}
