/** The file that lets a killed daemon go on: what is read back, and what is passed over. */
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { StateFile, type TakenState } from '../../src/daemon/state-file';
import { StateKeeper } from '../../src/daemon/state-keeper';

const HERE = { boot: 'now', namespace: 'net:[1]' };
const FAILOVER = {
  at: '2026-01-01T00:00:00.000Z',
  reason: 'by hand',
  detectionMs: 0,
  recoveryMs: 3,
  recovered: 2,
  lost: 0,
};
const STATE: TakenState = {
  services: [{ name: 'telemetry', address: '10.77.0.2', failovers: [FAILOVER] }],
  // Newlines too: the first one ends the header, no other does.
  records: Buffer.from('records\nof\nany bytes'),
};

function open(t: ExecutionContext) {
  const stateDir = mkdtempSync(join(tmpdir(), 'migware-state-'));
  t.teardown(() => rmSync(stateDir, { recursive: true }));
  return { stateDir, path: join(stateDir, 'taken-over.state'), file: new StateFile(stateDir, HERE) };
}

test('what was written is read back', async (t) => {
  const { file, stateDir } = open(t);
  t.deepEqual(file.read(), { state: undefined });
  await file.write(STATE);
  t.deepEqual(file.read(), { state: STATE });
  await file.write({ services: STATE.services, records: Buffer.alloc(0) });
  t.is(file.read().state?.records.length, 0);
  t.deepEqual(readdirSync(stateDir), ['taken-over.state']);
  file.remove();
  file.remove();
  t.deepEqual(file.read(), { state: undefined });
});

test('what is of another boot, namespace or version is passed over', async (t) => {
  const { file, path, stateDir } = open(t);
  await file.write(STATE);
  const reasonFor = (habitat: typeof HERE) => new StateFile(stateDir, habitat).read().reason;
  t.is(reasonFor({ ...HERE, boot: 'later' }), 'it is from before the last boot');
  t.is(reasonFor({ ...HERE, namespace: 'net:[2]' }), 'it is of another network namespace');
  const text = readFileSync(path, 'latin1');
  for (const key of ['format', 'snapshot']) {
    writeFileSync(path, text.replace(new RegExp(`"${key}":\\d+`), `"${key}":99`), 'latin1');
    t.is(file.read().reason, 'another version of migware wrote it');
  }
});

test('what is damaged is passed over, wherever it is cut', async (t) => {
  const { file, path } = open(t);
  await file.write(STATE);
  const whole = readFileSync(path);
  for (let length = 0; length < whole.length; length++) {
    writeFileSync(path, whole.subarray(0, length));
    t.is(file.read().state, undefined, `${length} bytes`);
  }
  const changed = Buffer.from(whole);
  changed[whole.length - 1] = 0;
  writeFileSync(path, changed);
  t.deepEqual(file.read(), { state: undefined, reason: 'it is damaged' });
});

test('the keeper writes all slices while a service is taken, and removes the file at the end', async (t) => {
  const written: TakenState[] = [];
  const log: string[] = [];
  let removed = 0;
  let taken = false;
  let broken = true;
  const say = (_: object, message: string) => void log.push(message);
  const slices = [Buffer.from('one'), Buffer.from('two'), Buffer.alloc(0)];
  const keeper = new StateKeeper(
    {
      write: (state) => {
        if (broken) return Promise.reject(new Error('disk full'));
        written.push(state);
        return Promise.resolve();
      },
      remove: () => removed++,
    },
    { exportLive: (first) => ({ records: slices[first] ?? Buffer.alloc(0), next: first + 1 }) },
    () => {
      asked++;
      return taken ? STATE.services : [];
    },
    () => 0,
    { debug: say, info: say, warn: say, error: say },
  );
  let asked = 0;
  const turns = async (count: number) => {
    for (const until = asked + count; asked < until;) await new Promise((done) => setTimeout(done, 5));
  };
  await turns(1);
  taken = true;
  await turns(3);
  t.deepEqual(log, ['the state of connections cannot be kept']);
  t.deepEqual(written, []);
  broken = false;
  await turns(2);
  t.true(written.length > 0);
  t.is(written[0]?.records.toString(), 'onetwo');
  await keeper.close();
  t.is(removed, 1);
});
