/** Copies of connection records: what they cost. */
import test from 'ava';
import { CONNECTION_BYTES } from '../../assembly/abi/layout';
import { ConnectionWatch } from '../../src/core/connection-watch';
import { Flow } from '../support/flow';
import { World } from '../support/world';

test('what is kept of a connection is a third of its record', (t) => {
  const count = 4096;
  const world = new World('release', { capacity: { connections: count } });
  const { exports, memory } = world.core;
  const base = exports.connectionsBase() >>> 0;
  const watch = new ConnectionWatch(memory.buffer, base, () => exports.connectionsUsed() >>> 0);
  for (let i = 0; i < count; i++) new Flow(world, { clientPort: 1024 + i }).established().client.data(i % 10);
  watch.look(world.now);
  t.true(watch.bytes <= (count * CONNECTION_BYTES) / 3);
  const all = [...watch.connections()];
  t.is(all.length, count);
  for (const [i, { record, inboundBytes }] of all.entries())
    t.is(inboundBytes, (record.clientPort - 1024) % 10, `${i}`);
});
