/** Live connections that another core goes on with: what it has read back serves them as the one that wrote it would have. */
import test from 'ava';
import fc from 'fast-check';
import { Port, ServiceState, Status } from '../../assembly/abi/codes';
import { CONNECTION_FLAG_IPV6, SERVICE_RECOVERING, SNAPSHOT_RECORD_BYTES } from '../../assembly/abi/layout';
import { Flow } from '../support/flow';
import { hex } from '../support/frames';
import type { Sent } from '../support/sent';
import { World } from '../support/world';
import { type Moved, move, plan, worldOf } from '../translator/connections';
import { type Step, segmentOf, step } from '../translator/segments';

const BUILDS = ['debug', 'release'] as const;
const RUNS = { debug: 60, release: 400 } as const;

function written({ core }: World): Uint8Array {
  const length = core.exports.exportLive(0);
  const slot = core.exports.rxSlot() >>> 0;
  return core.bytes.slice(slot, slot + length);
}

/** How many connections go on, or a Status. */
function read({ core, now }: World, records: Uint8Array): number {
  core.bytes.set(records, core.exports.rxSlot() >>> 0);
  return core.exports.importLive(records.length, now);
}

const bytesOf = (sent: readonly Sent[]): string => sent.map(({ port, bytes }) => `${port} ${hex(bytes)}`).join();

/** Sends the segment of a step; its frame, its port, and what the core sends for it. */
function send(moved: Moved, drawn: Step): readonly [frame: Uint8Array, port: Port, sent: string] {
  const { flow } = moved;
  const { end, flags, overrides } = segmentOf(moved, drawn);
  const frame = flow.frame(end, flags, overrides);
  const sent = bytesOf(flow.send(end, flags, overrides).sent);
  flow.take();
  return [frame, end === flow.client || flow.options.remote ? Port.Wire : Port.Stack, sent];
}

for (const build of BUILDS) {
  test(`${build}: another core goes on with a connection as the first one does`, (t) => {
    const property = fc.property(
      plan,
      fc.array(step, { maxLength: 6 }),
      fc.array(step, { minLength: 1, maxLength: 10 }),
      (drawn, before, after) => {
        const moved = move(build, drawn);
        for (const one of before) if (!one.flags.includes('R')) send(moved, one);
        const twin = worldOf(build, drawn);
        twin.now = moved.flow.world.now;
        twin.setState(ServiceState.Proxy);
        const records = written(moved.flow.world);
        if (records.length !== SNAPSHOT_RECORD_BYTES || read(twin, records) !== 1) throw new Error('it does not go on');
        if (hex(written(twin)) !== hex(records)) throw new Error('it is written otherwise than it was read');
        for (const one of after) {
          const [frame, port, sent] = send(moved, one);
          const again = bytesOf(twin.receive(port, frame));
          if (again !== sent) throw new Error(`${one.from}'s ${one.flags}: ${again}, not ${sent}`);
          if (one.flags.includes('R')) return;
        }
      },
    );
    t.notThrows(() => {
      fc.assert(property, { numRuns: RUNS[build], includeErrorInReport: true });
    });
  });

  const snapshot = (): { readonly world: World; readonly records: Uint8Array } => {
    const first = new World(build);
    new Flow(first).established().recovered();
    const world = new World(build);
    world.setState(ServiceState.Proxy);
    return { world, records: written(first) };
  };

  /** Offset in a record, its damaged value, and what it is then. */
  const DAMAGES: readonly (readonly [at: number, value: number, what: string])[] = [
    [11, 0, "an address that is not of the connection's family"],
    [27, 0, 'a server that is no service'],
    [43, CONNECTION_FLAG_IPV6, 'flags of the other family'],
    [44, 0, 'a state that says that there is no connection'],
    [44, 9, 'a state beyond the last'],
    [44, 255, 'a state beyond the table'],
    [45, 200, 'a risk that has no name'],
    [46, 15, 'a window shift above 14'],
    [104 + 30, 200, "a window shift of the client's above 14"],
    [140 + 30, 200, "a window shift of the server's above 14"],
  ];

  for (const [at, value, what] of DAMAGES) {
    test(`${build}: a damaged record is passed over: ${what}`, (t) => {
      const { world, records } = snapshot();
      t.not(records[at], value);
      records[at] = value;
      t.is(read(world, records), 0);
      t.deepEqual([...world.records()], []);
      t.is(world.tick(40_000).length, 0);
    });
  }

  test(`${build}: parts of records are refused as a whole`, (t) => {
    const { world, records } = snapshot();
    for (const length of [1, SNAPSHOT_RECORD_BYTES - 1]) {
      t.is(read(world, records.subarray(0, length)), Status.BadSnapshot);
    }
    t.is(read(world, Uint8Array.of(...records, 0)), Status.BadSnapshot);
    t.deepEqual([...world.records()], []);
    t.is(read(world, records), 1);
    t.is(read(world, records), 0, 'it is there already');
  });

  test(`${build}: marks that mean something to one process only are not taken over`, (t) => {
    const { world, records } = snapshot();
    const sound = records.slice();
    records.set([0xff, 0xff], 50);
    t.is(read(world, records), 1);
    t.deepEqual(sound.subarray(0, 50), written(world).subarray(0, 50));
    world.dismiss();
    t.is(world.service(SERVICE_RECOVERING), 0, 'it was on its way nowhere');
  });
}
