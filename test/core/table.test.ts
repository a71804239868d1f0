/** The connection table through frames: against a model, and at its sizes. */
import test from 'ava';
import fc from 'fast-check';
import { Port, Reason, ServiceState, TcpState } from '../../assembly/abi/codes';
import {
  CONNECTION_BYTES,
  DEFAULT_CONNECTIONS,
  DEFAULT_RETAINED_BYTES,
  MAX_CONNECTIONS,
  SERVICE_FLAG_REPLAY,
  SERVICE_FLAG_SHADOW,
  SERVICE_PRIMARY_MAC,
  SERVICE_TRACKED,
} from '../../assembly/abi/layout';
import { Flow } from '../support/flow';
import { icmpErrorFrame, ipBytes, macBytes, tcpFrame } from '../support/frames';
import { slowChecksum } from '../support/checksum';
import { MAC, World } from '../support/world';

const BUILDS = ['debug', 'release'] as const;

/** Longest idle time of a connection that was reset, ms (arbitrary limit of the core: see timers). */
const CLOSED_MS = 30_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

type Step = { readonly kind: 'open' | 'use' | 'end'; readonly client: number } | { readonly kind: 'sweep' };

const steps = fc.array(
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        kind: fc.constantFrom('open' as const, 'use' as const, 'end' as const),
        client: fc.nat(59),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('sweep' as const) }) },
  ),
  { maxLength: 300 },
);

/** Clients that differ in one part of the tuple only, so that many home slots are near each other by chance alone. */
function clientOf(world: World, i: number): Flow {
  const client = `10.0.${i % 3}.9`;
  const tags = i % 4 === 0 ? [{ vid: 1 + (i % 5) }] : [];
  return new Flow(world, { client, clientPort: 40_000 + i, tags });
}

for (const build of BUILDS) {
  test(`${build}: a record is new, whatever its memory held before`, (t) => {
    const connections = 4;
    const records = (fill: number) => {
      const world = new World(build, {
        capacity: { connections },
        through: (core) => {
          const first = core.exports.connectionsBase() >>> 0;
          core.bytes.fill(fill, first, first + connections * CONNECTION_BYTES);
          return core;
        },
      });
      const flow = new Flow(world).established().client.data('hello').recovered();
      return { bytes: flow.bytes().slice(), said: flow.toReplica(flow.all).map(({ payload }) => payload.length) };
    };
    t.deepEqual(records(0xff), records(0));
  });

  test(`${build}: random opening, use, end and reuse against a Map`, (t) => {
    const property = fc.property(steps, fc.nat(0xffff), (list: Step[], key) => {
      // 64 records of which 60 are asked for: nothing is refused, records are used again and again.
      const world = new World(build, { capacity: { connections: 64, key: [key, 1, 2, 3] } });
      const flows = Array.from({ length: 60 }, (_, i) => clientOf(world, i));
      const model = new Map<number, TcpState>();
      for (const step of list) {
        if (step.kind === 'sweep') {
          world.run(CLOSED_MS + 1000, 1000);
          for (const [i, state] of model) if (state === TcpState.Closed) model.delete(i);
          continue;
        }
        const flow = flows[step.client];
        if (flow === undefined) continue;
        const state = model.get(step.client);
        if (step.kind === 'open' && state !== TcpState.Established) {
          flow.client.received = 0;
          flow.primary.received = 0;
          flow.established();
          model.set(step.client, TcpState.Established);
        }
        if (step.kind === 'use' && state === TcpState.Established) flow.client.data(10).primary.ack();
        if (step.kind === 'end' && state === TcpState.Established) {
          flow.client.rst();
          model.set(step.client, TcpState.Closed);
        }
        // Whoever is used is not swept meanwhile.
      }
      const found = new Map([...world.records()].map(({ index, state }) => [index, state]));
      if (found.size !== model.size || world.service(SERVICE_TRACKED) !== model.size) {
        throw new Error(`${found.size} records, ${world.service(SERVICE_TRACKED)} tracked, not ${model.size}`);
      }
      for (const [i, flow] of flows.entries()) {
        if (flow.found()?.state !== model.get(i)) throw new Error(`client ${i}: ${flow.found()?.state ?? 'none'}`);
        // Found by a lookup as well, not only by a walk over the records: its segment moves it.
        if (model.get(i) === TcpState.Established) {
          world.now += 1;
          if (flow.client.data(1).record().seenMs !== world.now) throw new Error(`client ${i} is not found`);
        }
      }
    });
    t.notThrows(() => {
      fc.assert(property, { numRuns: build === 'debug' ? 15 : 60 });
    });
  });

  test(`${build}: both tuples of every connection are found when half of a dense index has been removed`, (t) => {
    // 256 records: the smallest index, 1,024 entries, at its fullest when all connections have moved.
    const world = new World(build, { capacity: { connections: 256 }, services: [{ handshakeWindow: 256 }] });
    const flows = Array.from({ length: 256 }, (_, i) => new Flow(world, { clientPort: 1000 + i }).established());
    const syns = world.setState(ServiceState.Recovery);
    for (const [i, flow] of flows.entries()) {
      flow.crash();
      flow.note(syns.filter((frame) => frame.kind === 'tcp' && frame.srcPort === 1000 + i));
      flow.accept().confirm();
    }
    const gone = flows.filter((_, i) => (i * 7) % 16 < 8);
    for (const flow of gone) flow.client.rst();
    world.run(CLOSED_MS + 1000, 1000);
    t.is(world.service(SERVICE_TRACKED), 128);
    for (const flow of flows) {
      if (gone.includes(flow)) {
        t.is(flow.found(), undefined);
        t.is(flow.client.ack().toClient()[0]?.flags, 'R');
      } else {
        t.is(flow.client.data('x').toReplica().length, 1);
        t.is(flow.take().stack.data('y').toClient().length, 1);
      }
    }
  });

  test(`${build}: as many records as were given back are there again, whichever list they were on before`, (t) => {
    const world = new World(build, { capacity: { connections: 4 } });
    const flows = [1, 2, 3, 4].map((clientPort) => new Flow(world, { clientPort }).established());
    for (const i of [2, 0, 3]) flows[i]?.client.rst();
    world.run(CLOSED_MS + 1000, 1000);
    t.is(world.service(SERVICE_TRACKED), 1);
    for (const clientPort of [11, 12, 13]) new Flow(world, { clientPort }).established();
    t.is(world.service(SERVICE_TRACKED), 4);
    t.deepEqual(
      [...world.records()].map(({ clientPort }) => clientPort).sort((x, y) => x - y),
      [2, 11, 12, 13],
    );
  });

  test(`${build}: a record is used again with another generation, and nothing of its last use`, (t) => {
    const world = new World(build, { capacity: { connections: 1 } });
    const first = new Flow(world, {
      clientPort: 1,
      clientOffer: { tsval: 5 },
      primaryOffer: { tsval: 6 },
    }).established();
    const { generation } = first.client.data(1000).record();
    first.client.rst();
    world.run(CLOSED_MS + 1000, 1000);
    t.is(first.found(), undefined);
    const second = new Flow(world, { clientPort: 2 }).established();
    const fresh = new Flow(new World(build, { capacity: { connections: 1 } }), { clientPort: 2 });
    fresh.world.now = world.now;
    fresh.established();
    t.is(second.record().generation, generation + 1);
    t.deepEqual({ ...second.record(), generation: 0 }, { ...fresh.record(), generation: 0 });
  });

  test(`${build}: nothing is left of a connection that was idle for so long that it is forgotten`, (t) => {
    for (const flags of [SERVICE_FLAG_REPLAY, SERVICE_FLAG_SHADOW]) {
      const world = new World(build, { services: [{ flags }] });
      const flow = new Flow(world).established();
      if (flags === SERVICE_FLAG_SHADOW) flow.accept().confirm();
      flow.primary.data('?').client.data('!').primary.data('??');
      flow.client.ack().client.data('!!');
      flow.stack.next += 2;
      t.true(world.recordedUsed() > 0);
      world.run(5 * DAY_MS + 10_000, HOUR_MS);
      world.run(10_000, 1000);
      t.is(flow.found(), undefined);
      t.is(world.recordedUsed(), 0);
      t.is(world.retainedUsed(), 0);
    }
  });

  test(`${build}: a replica whose connection is forgotten, or lost, has none`, (t) => {
    for (const name of ['forgotten', 'lost'] as const) {
      const world = new World(build);
      new Flow(world, { clientPort: 1 }).client.data('x');
      const flow = new Flow(world).established().client.data('hello').crash();
      flow.note(flow.sent.filter(({ connection }) => connection === flow.record().index)).accept();
      if (name === 'lost') {
        flow.stack.rst();
      } else {
        flow.confirm().client.rst();
        world.run(CLOSED_MS + 1000, 1000);
        t.is(flow.found(), undefined);
      }
      const before = world.refused(Reason.NoConnection);
      t.like(flow.stack.data('late').toReplica()[0], { flags: 'R', seq: flow.stack.received }, name);
      t.is(world.refused(Reason.NoConnection), before + 1, name);
      const quoted = tcpFrame({ src: '10.0.0.2', srcPort: 7000, dst: '10.0.0.9', dstPort: 40_000, seq: 500_001 });
      const error = icmpErrorFrame({ src: '10.0.0.9', dst: '10.0.0.2', type: 3, code: 4, rest: 1000 }, quoted);
      t.deepEqual(world.receive(Port.Wire, error), [], name);
      t.is(world.refused(Reason.IcmpNotOurs), 1, name);
    }
  });

  test(`${build}: connections that try another port at their replica leave nothing behind`, (t) => {
    // The index has 1,024 entries.
    const world = new World(build, { capacity: { connections: 4 } });
    for (let i = 0; i < 1100; i++) {
      const flow = new Flow(world, { clientOffer: { isn: 10_000 * i } }).established().crash();
      for (const ms of [20, 40, 80, 160, 320]) flow.tick(ms);
      if (flow.toReplica().every(({ srcPort }) => srcPort === 40_000)) return t.fail();
      flow.client.rst();
      world.setState(ServiceState.Normal);
    }
    const last = new Flow(world).established().recovered();
    t.is(last.client.data('x').toReplica().length, 1);
  });

  test(`${build}: a port of the service itself is not taken for a connection to a remote replica`, (t) => {
    const service = { remote: true, ports: [7000], mapFirst: 7000, mapLast: 7001 };
    const flow = new Flow(new World(build, { services: [service] }), { remote: true }).established().crash();
    t.is(flow.toReplica()[0]?.srcPort, 7001);
  });

  test(`${build}: a service knows its ports and where its primary is`, (t) => {
    const world = new World(build);
    t.deepEqual(new Flow(world, { serverPort: 0 }).client.syn().sent, []);
    t.is(world.refused(Reason.NotOurs), 1);
    new Flow(world).established();
    const at = (world.core.exports.servicesBase() >>> 0) + SERVICE_PRIMARY_MAC;
    t.deepEqual([...world.core.bytes.slice(at, at + 6)], [...macBytes(MAC.primary)]);
  });

  test(`${build}: a record that is used again while it waits to send leaves the others their turn`, (t) => {
    const world = new World(build);
    const flows = Array.from({ length: 4 }, (_, i) => new Flow(world, { clientPort: 100 + i }).established());
    for (const flow of flows) flow.primary.data(10, { seq: flow.primary.next + 10 });
    // All are lost, and none has been told yet.
    world.core.exports.setServiceState(0, ServiceState.Recovery, world.now);
    const { sent } = new Flow(world, { clientPort: 102 }).client.syn({ seq: 7_000_000 });
    t.deepEqual(
      sent.map((frame) =>
        frame.kind === 'tcp' ? [frame.flags, frame.flags === 'S' ? frame.srcPort : frame.dstPort] : [],
      ),
      [
        ['S', 102],
        ['RA', 100],
        ['RA', 101],
        ['RA', 103],
      ],
    );
  });

  test(`${build}: the memory does not grow, and what a connection costs is stated`, (t) => {
    const world = new World(build, { capacity: { connections: 1000, retainedBytes: 1 << 20 } });
    const before = world.core.memory.buffer.byteLength;
    for (let i = 0; i < 2000; i++) new Flow(world, { clientPort: i + 1 }).established().client.data(100);
    world.setState(ServiceState.Recovery);
    world.run(1000);
    t.is(world.core.memory.buffer.byteLength, before);

    // A record, and four index entries of 8 bytes (two tuples, at most half full) rounded up to a power of two.
    const pages = (connections: number): number => world.core.exports.pagesNeeded(connections, 0, 0) >>> 0;
    const perConnection = ((pages(DEFAULT_CONNECTIONS) - pages(1)) * 65536) / DEFAULT_CONNECTIONS;
    t.true(perConnection <= CONNECTION_BYTES + 4 * 8 + 1, `${perConnection} bytes`);
    t.is(CONNECTION_BYTES, 512);
  });
}

/** A frame whose client address and port can be set without building it anew. */
class Template {
  readonly frame: Uint8Array;

  constructor(options: Parameters<typeof tcpFrame>[0]) {
    this.frame = tcpFrame(options);
  }

  /** The frame for client `i`: 10.1.x.y, inbound or outbound. */
  for(i: number, inbound: boolean): Uint8Array {
    const { frame } = this;
    const address = ipBytes(`10.${1 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`);
    frame.set(address, inbound ? 26 : 30);
    frame.set([0, 0], 24);
    const checksum = slowChecksum(frame.subarray(14, 34));
    frame.set([checksum >> 8, checksum & 255], 24);
    frame.set([0, 0], 50);
    const tcp = frame.subarray(34);
    const pseudo = Uint8Array.of(...frame.subarray(26, 34), 0, 6, 0, tcp.length);
    const sum = slowChecksum(pseudo, tcp);
    frame.set([sum >> 8, sum & 255], 50);
    return frame;
  }
}

test('release: 100,000 connections in the default configuration', (t) => {
  const world = new World('release', {
    capacity: { connections: DEFAULT_CONNECTIONS, retainedBytes: DEFAULT_RETAINED_BYTES },
  });
  const server = { src: '10.0.0.2', srcPort: 7000, dst: '10.1.0.0', dstPort: 40_000 };
  const client = { src: '10.1.0.0', srcPort: 40_000, dst: '10.0.0.2', dstPort: 7000 };
  const syn = new Template({ ...client, seq: 1000, flags: 'S' });
  const synAck = new Template({ ...server, seq: 5000, ack: 1001, flags: 'SA' });
  const ack = new Template({ ...client, seq: 1001, ack: 5001 });
  const data = new Template({ ...client, seq: 1001, ack: 5001, flags: 'PA', payload: 'x' });
  const { exports, bytes } = world.core;
  const slot = exports.rxSlot() >>> 0;
  const give = (frame: Uint8Array): void => {
    bytes.set(frame, slot);
    exports.receive(Port.Wire, frame.length, frame.length, 1000);
  };
  for (let i = 0; i < 100_000; i++) {
    give(syn.for(i, true));
    give(synAck.for(i, false));
    give(ack.for(i, true));
  }
  t.is(world.service(SERVICE_TRACKED), 100_000);
  for (let i = 0; i < 100_000; i += 97) give(data.for(i, true));
  t.deepEqual(
    world.refusals().filter((n) => n !== 0),
    [],
  );
  t.is(exports.connectionsUsed() >>> 0, 100_000);
  const moved = [...world.records()].filter(({ inbound }) => inbound.end === 1002).length;
  t.is(moved, Math.ceil(100_000 / 97));
});

test('release: a million connections can be configured', (t) => {
  const world = new World('release', { capacity: { connections: MAX_CONNECTIONS, retainedBytes: 1 << 20 } });
  for (let i = 0; i < 50; i++) new Flow(world, { clientPort: 100 + i }).established();
  t.is(world.service(SERVICE_TRACKED), 50);
  t.is(MAX_CONNECTIONS >= 1_000_000, true);
  t.throws(() => new World('release', { capacity: { connections: MAX_CONNECTIONS + 1 } }));
});
