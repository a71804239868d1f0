/**
 * Laws of the whole core, over anything: frames of any bytes, segments of any numbers, in any state of the service. The
 * reader of sent frames checks every length and checksum while these run, and the world its guard bytes.
 */
import test from 'ava';
import fc from 'fast-check';
import { Counter, Loss, Phase, Port, Reason, ServiceState, TcpState } from '../../assembly/abi/codes';
import { Flow, type FlowOptions, type Offer } from '../support/flow';
import { ipFrame, nop, sack, tcpFrame, timestamps } from '../support/frames';
import { World } from '../support/world';

const BUILDS = ['debug', 'release'] as const;
const u32 = fc.integer({ min: 0, max: 0xffffffff });

/** Runs of a property: debug is ten times slower. */
const runs = (build: string, n: number): number => (build === 'debug' ? Math.ceil(n / 5) : n);

/** Reasons that are counted beside the fate of the frame itself. */
const BESIDE: ReadonlySet<number> = new Set([Reason.HalfOpenBudget, Reason.Quarantined, Reason.ServerClosed]);

function liveFlow(build: (typeof BUILDS)[number], client: number, server: number, replica: number): Flow {
  const offer = (isn: number, tsval: number): Offer => ({ isn, tsval, sack: true, windowShift: 7, window: 500 });
  const options: FlowOptions = {
    clientOffer: offer(client, client ^ 0x5555),
    primaryOffer: offer(server, server ^ 0x3333),
    replicaOffer: offer(replica, replica ^ 0x7777),
  };
  return new Flow(new World(build), options).established().primary.ack().recovered();
}

for (const build of BUILDS) {
  test(`${build}: to the replica and back is the identity on every number, across the wrap`, (t) => {
    const near = fc.nat(20_000);
    const property = fc.property(u32, u32, u32, near, near, near, (client, server, replica, a, b, c) => {
      const flow = liveFlow(build, client, server, replica);
      const { received } = flow.client;
      const ack = (received + Math.min(a, 10_000)) >>> 0;
      // The replica has said something, so that the client can echo and acknowledge it.
      flow.stack.tsval = (flow.stack.tsval + c) >>> 0;
      flow.stack.data(100);
      const told = flow.toClient()[0]?.timestamps?.[0] ?? 0;
      const block: [number, number] = [(received + b) >>> 0, (received + b + c) >>> 0];
      flow.client.ack({ ack, options: [nop(), nop(), timestamps(a, told), nop(), nop(), sack(block)] });
      const [there] = flow.toReplica();
      if (there === undefined) throw new Error('not passed on');
      const offset = (n: number): number => (n - (flow.stack.offer.isn + 1)) >>> 0;
      if (there.seq !== flow.client.next) throw new Error('D1 is not 0');
      if (offset(there.ack) !== (ack - received) >>> 0) throw new Error('ack');
      if (there.sack.some(([l, r]) => offset(l) !== b || offset(r) !== b + c)) throw new Error('SACK');
      if (there.timestamps?.[0] !== a || there.timestamps[1] !== flow.stack.tsval) throw new Error('timestamps');
      // And back: the replica sends at the very number that was acknowledged.
      flow.stack.segment('A', {
        seq: there.ack,
        ack: there.seq,
        options: [nop(), nop(), timestamps(flow.stack.tsval, a)],
      });
      const [back] = flow.toClient();
      return (
        back?.seq === ack && back.ack === flow.client.next && back.timestamps?.[0] === told && back.timestamps[1] === a
      );
    });
    t.notThrows(() => {
      fc.assert(property, { numRuns: runs(build, 300) });
    });
  });

  test(`${build}: payload passes unchanged, whatever the length and the offset of options`, (t) => {
    const property = fc.property(u32, fc.uint8Array({ maxLength: 3000 }), fc.nat(3), (isn, payload, pad) => {
      const flow = liveFlow(build, isn, isn ^ 0x80000000, isn);
      const options = [...Array.from({ length: pad }, nop), timestamps(7, flow.primary.tsval)];
      flow.client.data(payload, { options });
      const inbound = Buffer.concat(flow.toReplica().map((segment) => segment.payload));
      flow.take().stack.data(payload, { options });
      const outbound = Buffer.concat(flow.toClient().map((segment) => segment.payload));
      return inbound.equals(payload) && outbound.equals(payload);
    });
    t.notThrows(() => {
      fc.assert(property, { numRuns: runs(build, 200) });
    });
  });

  /** Any segment between the addresses of the world, near the connection's numbers or anywhere. */
  const flags = fc.constantFrom('S', 'SA', 'A', 'PA', 'FA', 'R', 'RA', 'SEC', 'AEC', 'UPA', 'FPA', 'SAE');
  const near = fc.oneof(u32, fc.integer({ min: -70_000, max: 70_000 }));
  const segment = fc.record({
    from: fc.constantFrom('client', 'primary', 'replica'),
    remoteWire: fc.boolean(),
    flags,
    seq: near,
    ack: near,
    window: fc.nat(0xffff),
    payload: fc.uint8Array({ maxLength: 40 }),
    options: fc.constantFrom(
      [],
      [timestamps(1, 2)],
      [nop(), timestamps(0xfffffff0, 5)],
      [sack([1, 2])],
      [sack([900, 1200], [501_000, 600_000])],
    ),
    checksum: fc.constantFrom('full' as const, 'full' as const, 'full' as const, 'partial' as const, 0x1234),
    client: fc.nat(2),
    time: fc.nat(300),
    act: fc.constantFrom(
      '',
      '',
      '',
      '',
      '',
      '',
      '',
      '',
      'recover',
      'proxy',
      'normal',
      'quarantine',
      'release',
      'sweep',
      'announce',
    ),
  });

  test(`${build}: any segments in any state: no trap, nobody else's record touched, every frame accounted for`, (t) => {
    const property = fc.property(fc.array(segment, { maxLength: 60 }), fc.boolean(), (list, remote) => {
      const world = new World(build, { capacity: { connections: 8, retainedBytes: 1 << 15 }, services: [{ remote }] });
      world.checksums = false; // a damaged frame may be passed on: its own end refuses it
      const bystander = new Flow(world, { client: '10.0.0.8', clientPort: 1 }).established();
      const flows = [0, 1, 2].map((i) => new Flow(world, { clientPort: 40_000 + i, remote }));
      for (const step of list) {
        world.now += step.time;
        if (step.act === 'recover') world.setState(ServiceState.Recovery);
        if (step.act === 'proxy') world.setState(ServiceState.Proxy);
        if (step.act === 'normal') world.setState(ServiceState.Normal);
        if (step.act === 'quarantine' || step.act === 'release') world.setQuarantine(step.act === 'quarantine');
        if (step.act === 'sweep') world.tick(40_000);
        if (step.act === 'announce') world.announce();
        const flow = flows[step.client];
        if (flow === undefined) continue;
        const before = bystander.found() === undefined ? undefined : bystander.bytes();
        const refused = world.refusals();
        const end = step.from === 'client' ? flow.client : step.from === 'primary' ? flow.primary : flow.stack;
        const { payload, options, checksum, window } = step;
        end.segment(step.flags, {
          seq: (end.offer.isn + step.seq) >>> 0,
          ack: (end.peer.offer.isn + step.ack) >>> 0,
          payload,
          options,
          checksum,
          window,
        });
        world.tick(1);
        const after = world.refusals();
        const fates = after.reduce((sum, n, i) => sum + (BESIDE.has(i) ? 0 : n - (refused[i] ?? 0)), 0);
        if (fates > 1) throw new Error(`${fates} fates of one frame`);
        if (after[Reason.None] !== 0) throw new Error('refused for no reason');
        // A bystander in recovery, or given up, has timers of its own; until then nothing concerns it.
        if (
          before !== undefined &&
          bystander.found()?.phase === Phase.Direct &&
          bystander.found()?.loss === Loss.None &&
          step.act === '' &&
          step.from !== 'primary'
        ) {
          if (Buffer.compare(before, bystander.bytes()) !== 0) throw new Error('another record was changed');
        }
        const states = [...world.records()];
        if (states.some(({ state, phase }) => state >= TcpState.Count || phase >= Phase.Count))
          throw new Error('impossible state');
      }
      world.setState(ServiceState.Recovery);
      world.run(20_000, 50);
      if (world.core.exports.working() !== 0) {
        const left = [...world.records()].filter(({ phase }) => phase !== Phase.Direct && phase !== Phase.Live);
        if (left.length > 0) throw new Error('a connection is on its way for ever');
      }
    });
    t.notThrows(() => {
      fc.assert(property, { numRuns: runs(build, 150) });
    });
  });

  test(`${build}: any bytes on both ports: no trap, nothing sent that is no frame`, (t) => {
    const world = new World(build);
    world.checksums = false;
    new Flow(world).established().recovered();
    new Flow(world, { clientPort: 1 }).synSent();
    const before = [...world.records()].map(({ index }) => Buffer.from(world.recordBytes(index)).toString('hex'));
    const header = fc.constantFrom(
      tcpFrame({ src: '10.0.0.77' }).slice(0, 14),
      tcpFrame({ src: '10.0.0.77' }).slice(0, 34),
      ipFrame({ src: '10.0.0.77' }, 1, new Uint8Array(0)),
      tcpFrame({ src: 'fd00::9', dst: 'fd00::2' }).slice(0, 54),
      new Uint8Array(0),
    );
    const property = fc.property(
      fc.constantFrom(Port.Wire, Port.Stack),
      header,
      fc.uint8Array({ maxLength: 200 }),
      fc.nat(100),
      (port, head, tail, missing) => {
        const frame = Uint8Array.of(...head, ...tail);
        world.receive(port, frame, frame.length + missing);
      },
    );
    t.notThrows(() => {
      fc.assert(property, { numRuns: runs(build, 3000) });
    });
    const after = [...world.records()].map(({ index }) => Buffer.from(world.recordBytes(index)).toString('hex'));
    t.deepEqual(after.slice(0, before.length), before);
  });

  test(`${build}: counters of frames and bytes add up`, (t) => {
    const flow = new Flow(new World(build)).established().recovered();
    const { world } = flow;
    const [wire, stack, bytes] = [Counter.FramesWire, Counter.FramesStack, Counter.BytesWire].map((c) =>
      world.counted(c),
    );
    const frame = flow.frame(flow.client, 'PA', { payload: 'hello' });
    const out = world.counted(Counter.FramesOutStack);
    t.is(world.receive(Port.Wire, frame).length, 1);
    t.is(world.counted(Counter.FramesWire), (wire ?? 0) + 1);
    t.is(world.counted(Counter.FramesStack), stack ?? 0);
    t.is(world.counted(Counter.BytesWire), (bytes ?? 0) + frame.length);
    t.is(world.counted(Counter.FramesOutStack), out + 1);
    t.is(world.counted(Counter.TranslatedInbound), 1);
  });

  test(`${build}: a frame that is refused on its way out is not counted as translated`, (t) => {
    const world = new World(build, { stackMtu: 576 });
    const flow = new Flow(world).established().recovered();
    const before = world.counted(Counter.TranslatedInbound);
    flow.client.data(1000);
    t.is(world.refused(Reason.TooBig), 1);
    t.is(world.counted(Counter.TranslatedInbound), before);
  });
}
