/** The shipped module as such: no imports, exactly the ABI, no allocation, small. */
import test from 'ava';
import { ABI_VERSION } from '../assembly/abi/layout';
import { compile, readBuild, start } from './support/wasm';

const EXPORTS = [
  'abiVersion',
  'addService',
  'announce',
  'connectionsBase',
  'connectionsUsed',
  'countersBase',
  'dismiss',
  'exportLive',
  'exportedTo',
  'importLive',
  'init',
  'lastReason',
  'memory',
  'pagesNeeded',
  'pump',
  'receive',
  'recordedUsed',
  'retainedUsed',
  'rxSlot',
  'serviceScratch',
  'servicesBase',
  'setHandshakeWindow',
  'setPort',
  'setQuarantine',
  'setReplicaMac',
  'setServiceState',
  'spill',
  'spillConnection',
  'spillFailed',
  'spillOffset',
  'supplyWanted',
  'tick',
  'trackAll',
  'txTable',
  'wantedConnection',
  'wantedFrom',
  'wantedLength',
  'working',
];

/** Arbitrary: two memory pages. Half of the module are functions that were inlined (scripts/lib/inlining.mjs). */
const SIZE_BUDGET_BYTES = 131072;

test('the module imports nothing', (t) => {
  t.deepEqual(WebAssembly.Module.imports(compile('release')), []);
});

test('the module exports the ABI and nothing else', (t) => {
  const names = WebAssembly.Module.exports(compile('release')).map(({ name }) => name);
  t.deepEqual(names.sort(), EXPORTS);
});

test('the module holds no allocator and never grows its memory', (t) => {
  const wat = readBuild('core.release.wat').toString();
  t.notRegex(wat, /memory\.grow/);
  t.notRegex(wat, /~lib\/rt/);
});

test('the module stays within its size budget', (t) => {
  t.true(readBuild('core.release.wasm').byteLength <= SIZE_BUDGET_BYTES);
});

test('the module is of the version that the host is compiled for', (t) => {
  t.is(start('release').exports.abiVersion(), ABI_VERSION);
});

test('the memory is as large as the module asks for and stays so', (t) => {
  const { exports, memory } = start('release', { connections: 128 });
  const before = memory.buffer;
  exports.tick(0);
  exports.receive(0, 0, 0, 0);
  t.is(memory.buffer, before);
});
