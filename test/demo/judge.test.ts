/** The judge of the demo must be able to find fault. */
import test from 'ava';
import type { Evidence } from '../../src/demo/judge';
import { judge } from '../../src/demo/judge';
import { LINE_BYTES, line, lines } from '../../src/demo/numbers';

const CLIENT = '10.77.0.10:40000';
const WRITTEN = 8 * LINE_BYTES;
/** In the middle of a line. */
const MOVED_AT = 3 * LINE_BYTES + 5;

/** One client whose connection moved without a fault. */
function evidence({ first = '', second = '', acknowledged = MOVED_AT, error = '' } = {}): Evidence {
  const text = lines(0, 8);
  return {
    clients: [{ local: CLIENT, lines: 8, error }],
    primary: [{ peer: CLIENT, text: first || text.slice(0, MOVED_AT), error: '' }],
    replica: [{ peer: CLIENT, text: second || text.slice(MOVED_AT), error: '' }],
    wire: {
      connections: [{ client: CLIENT, primaryAcknowledged: acknowledged, primarySilenceMs: 1, replicaSilenceMs: 200 }],
      resets: [],
    },
    dropped: 0,
  };
}

const NOTHING_WRONG = { written: WRITTEN, lost: 0, doubled: 0, wrong: 0 } as const;

test('a stream that is cut in the middle of a line is whole', (t) => {
  const { problems, kept, bytes } = judge(evidence());
  t.deepEqual(problems, []);
  t.is(kept, 1);
  t.deepEqual(bytes, { ...NOTHING_WRONG, primary: MOVED_AT, replica: WRITTEN - MOVED_AT, unacknowledged: 0 });
});

test('what the primary took and did not acknowledge is reported and no fault', (t) => {
  const { problems, bytes } = judge(evidence({ first: lines(0, 8).slice(0, MOVED_AT + 7) }));
  t.deepEqual(problems, []);
  t.like(bytes, { ...NOTHING_WRONG, unacknowledged: 7 });
});

test('a connection that never moved is whole when the primary acknowledged its end', (t) => {
  const whole = evidence({ first: lines(0, 8), acknowledged: WRITTEN + 1 });
  t.deepEqual(judge({ ...whole, replica: [] }).problems, []);
});

test('bytes that the primary acknowledged and did not read are lost', (t) => {
  const { problems, kept, bytes } = judge(evidence({ first: lines(0, 8).slice(0, MOVED_AT - 4) }));
  t.like(bytes, { lost: 4, doubled: 0, wrong: 0 });
  t.is(kept, 0);
  t.regex(problems.join(), /4 bytes lost at 49/);
});

test('bytes between primary and replica are lost', (t) => {
  t.like(judge(evidence({ second: lines(0, 8).slice(MOVED_AT + 3) })).bytes, { lost: 3, doubled: 0, wrong: 0 });
});

test('bytes at the end are lost', (t) => {
  t.like(judge(evidence({ second: lines(0, 8).slice(MOVED_AT, -9) })).bytes, { lost: 9, doubled: 0, wrong: 0 });
});

test('all bytes after the crash are lost when the replica has read none', (t) => {
  const { problems, bytes } = judge({ ...evidence(), replica: [] });
  t.like(bytes, { lost: WRITTEN - MOVED_AT, replica: 0 });
  t.is(problems.length, 1);
});

test('acknowledged bytes that the replica reads again are doubled', (t) => {
  const { kept, bytes } = judge(evidence({ second: lines(0, 8).slice(MOVED_AT - 6) }));
  t.like(bytes, { lost: 0, doubled: 6, wrong: 0 });
  t.is(kept, 0);
});

test('a stream that starts over is doubled', (t) => {
  t.like(judge(evidence({ second: lines(0, 8) })).bytes, { lost: 0, doubled: MOVED_AT, wrong: 0 });
});

test('a replica that is given whole streams has to have read them from the first byte to the last', (t) => {
  const whole: Evidence = { ...evidence({ second: lines(0, 8) }), replicaReads: 'all' };
  const { problems, kept, bytes } = judge(whole);
  t.deepEqual(problems, []);
  t.is(kept, 1);
  t.like(bytes, { ...NOTHING_WRONG, primary: MOVED_AT, replica: WRITTEN });
  const wrong = (second: string, first = '') => judge({ ...evidence({ first, second }), replicaReads: 'all' }).bytes;
  t.like(wrong(lines(0, 8).slice(MOVED_AT)), { lost: MOVED_AT, doubled: 0, wrong: 0 });
  t.like(wrong(lines(0, 8).slice(0, -9)), { lost: 9, doubled: 0, wrong: 0 });
  t.like(wrong(lines(0, 8), `x${lines(0, 8).slice(1, MOVED_AT)}`), { lost: 0, doubled: 0, wrong: 1 });
});

test('a wrong byte is wrong and no other is', (t) => {
  const second = lines(0, 8).slice(MOVED_AT);
  const { kept, bytes } = judge(evidence({ second: `${second.slice(0, 20)}x${second.slice(21)}` }));
  t.like(bytes, { lost: 0, doubled: 0, wrong: 1 });
  t.is(kept, 0);
});

test('bytes after the last that was written are wrong', (t) => {
  const { bytes } = judge(evidence({ second: `${lines(0, 8).slice(MOVED_AT)}${line(0, 8)}` }));
  t.like(bytes, { lost: 0, wrong: LINE_BYTES });
});

test("another client's bytes are wrong", (t) => {
  t.true(judge(evidence({ second: lines(1, 8).slice(MOVED_AT) })).bytes.wrong > 0);
});

test('an error at the client is a fault although every byte was read', (t) => {
  const { problems, kept } = judge(evidence({ error: 'ECONNRESET' }));
  t.deepEqual(problems, [`${CLIENT}: ECONNRESET`]);
  t.is(kept, 0);
});

test('an error at the replica is a fault, and one behind the pulled cable is none', (t) => {
  const whole = evidence();
  const broken = (connections: Evidence['primary']) => connections.map((each) => ({ ...each, error: 'ECONNRESET' }));
  t.deepEqual(judge({ ...whole, primary: broken(whole.primary) }).problems, []);
  const { problems } = judge({ ...whole, replica: broken(whole.replica) });
  t.deepEqual(problems, [`${CLIENT}: the replica noticed ECONNRESET`]);
});

test('an RST on the wire is a fault although the client did not notice', (t) => {
  const quiet = evidence();
  const { problems, kept } = judge({ ...quiet, wire: { ...quiet.wire, resets: [`${CLIENT} was reset by nobody`] } });
  t.regex(problems.join(), /was reset/);
  t.is(kept, 0);
});

test('a connection that the observer has not seen is none it can vouch for', (t) => {
  const unseen = evidence();
  t.regex(judge({ ...unseen, wire: { connections: [], resets: [] } }).problems.join(), /has not seen/);
  t.regex(judge({ ...unseen, dropped: 2 }).problems.join(), /missed 2 frames/);
});

test('bytes of nobody are a fault', (t) => {
  const strange = evidence();
  const stranger = { peer: '10.77.0.3:50000', text: 'x', error: '' };
  const { problems, kept } = judge({ ...strange, replica: [...strange.replica, stranger] });
  t.deepEqual(problems, ['the replica read 1 bytes of 10.77.0.3:50000, which is no client']);
  t.is(kept, 1);
});
