/** Live connections whose two stacks agreed on different things: timestamps, scale, SACK, MSS, tags, MTU. */
import test from 'ava';
import { Counter, Port, Reason, TcpState } from '../../assembly/abi/codes';
import { Flow, type FlowOptions } from '../support/flow';
import { mss, nop, sack, tcpOption, timestamps } from '../support/frames';
import { MAC, World, type WorldOptions } from '../support/world';

const BUILDS = ['debug', 'release'] as const;

const TS = { clientOffer: { tsval: 1000 }, primaryOffer: { tsval: 0xfffffff0 } } as const;

for (const build of BUILDS) {
  const live = (options: FlowOptions = {}, world: WorldOptions = {}): Flow => {
    const services = [{ remote: options.remote ?? false }];
    const flow = new Flow(new World(build, { services, ...world }), options).established();
    flow.primary.ack();
    flow.world.now += 50;
    return flow.recovered();
  };

  // --- timestamps (RFC 7323) --------------------------------------------------------------------------------------

  for (const tsval of [5, 0x7fffffff, 0xfffffff8]) {
    test(`${build}: time never runs backwards for the client: replica's clock at ${tsval}`, (t) => {
      const flow = live({ ...TS, replicaOffer: { tsval } });
      const last = flow.primary.tsval;
      flow.stack.data('x');
      const [first] = flow.toClient();
      const told = first?.timestamps?.[0] ?? 0;
      t.true(((told - last) | 0) > 0, 'ahead of the primary by at least one tick');
      t.true(((told - last) | 0) <= 1000, 'and by little more than the time that passed');
      t.is(first?.timestamps?.[1], flow.client.tsval, 'the client hears its own clock');
      flow.stack.tsval += 7;
      flow.stack.data('y');
      t.is(flow.toClient()[0]?.timestamps?.[0], (told + 7) >>> 0);
      // What the client echoes is the replica's again.
      flow.client.data('z', { options: [nop(), nop(), timestamps(2000, (told + 7) >>> 0)] });
      t.deepEqual(flow.toReplica()[0]?.timestamps, [2000, flow.stack.tsval >>> 0]);
    });
  }

  test(`${build}: an echo of the primary's clock becomes the replica's first tick`, (t) => {
    const flow = live({ ...TS, replicaOffer: { tsval: 777 } });
    flow.client.data('z', { options: [nop(), nop(), timestamps(2000, flow.primary.tsval - 100)] });
    t.deepEqual(flow.toReplica()[0]?.timestamps, [2000, 777]);
  });

  test(`${build}: a replica that would not agree to timestamps: blanked one way, added the other`, (t) => {
    const flow = live(TS);
    flow.client.data('hello');
    t.like(flow.toReplica()[0], { timestamps: undefined, optionBytes: 12, payload: bytesOf('hello') });
    flow.take().stack.data('world');
    const [answer] = flow.toClient();
    t.like(answer, { payload: bytesOf('world'), seq: flow.client.received, ack: flow.client.next });
    t.is(answer?.timestamps?.[1], flow.client.tsval);
    t.true(((answer?.timestamps?.[0] ?? 0) - flow.primary.tsval) << 0 >= 0);
  });

  test(`${build}: a damaged segment stays damaged when it is built anew`, (t) => {
    const flow = live(TS);
    flow.stack.data('world', { checksum: 0x1234 });
    t.deepEqual(flow.toClient(), []);
    t.is(flow.world.refused(Reason.BadTcpChecksum), 1);
  });

  test(`${build}: a replica that has timestamps the client did not agree to cannot be: none are offered`, (t) => {
    const flow = new Flow(new World(build)).established().crash();
    t.is(flow.toReplica()[0]?.timestamps, undefined);
  });

  test(`${build}: timestamps at an odd offset`, (t) => {
    const flow = live({ ...TS, replicaOffer: { tsval: 9 } });
    flow.client.data('odd', { options: [nop(), timestamps(3000, flow.primary.tsval)] });
    t.deepEqual(flow.toReplica()[0]?.timestamps, [3000, 9]);
    flow.take().stack.data('odd', { options: [nop(), timestamps(20, 3000)] });
    t.deepEqual(flow.toClient()[0]?.timestamps?.[1], 3000);
  });

  // --- window scale -----------------------------------------------------------------------------------------------

  test(`${build}: the replica's window in the client's scale`, (t) => {
    const scales: readonly (readonly [number | undefined, number | undefined, number, number])[] = [
      // client reads with, replica shifts by, field of the replica, field for the client
      [7, 7, 500, 500],
      [7, 3, 1600, 100],
      [3, 7, 100, 1600],
      [0, 7, 0xffff, 0xffff],
      [7, 0, 128, 1],
      [14, 0, 0x4000, 1],
      [undefined, undefined, 777, 777],
    ];
    for (const [client, replica, field, expected] of scales) {
      const flow = live({
        clientOffer: { windowShift: client === undefined ? undefined : 2, window: 1000 },
        primaryOffer: { windowShift: client, window: 0 },
        replicaOffer: { windowShift: replica, window: 0 },
      });
      flow.stack.ack({ window: field });
      t.is(flow.toClient().at(-1)?.window, expected, `${client ?? '-'} ${replica ?? '-'} ${field}`);
    }
  });

  test(`${build}: rounding takes back less than a unit, and never promises a unit too much (RFC 7323 2.4)`, (t) => {
    const unit = 1024;
    const flow = live({
      clientOffer: { windowShift: 2, window: 1000 },
      primaryOffer: { windowShift: 10, window: 60 },
      replicaOffer: { windowShift: 0, window: 60_000 },
    });
    let told = 0;
    let window = 60_000;
    for (let i = 0; i < 200; i++) {
      // The replica's application reads nothing: its edge stays, its window shrinks with what it acknowledges.
      flow.client.data(37 + i);
      flow.take();
      window -= 37 + i;
      flow.stack.ack({ window });
      const edge = flow.stack.received + window;
      const [segment] = flow.toClient();
      const now = (segment?.ack ?? 0) + (segment?.window ?? 0) * unit;
      t.true(now >= Math.min(edge, told), `step ${i}: ${now} takes back what the replica has granted: ${edge}`);
      t.true(now < edge + unit, `step ${i}: ${now} is a unit beyond ${edge}`);
      t.true(now > told - unit, `step ${i}: ${now} is a unit below ${told}`);
      told = now;
    }
  });

  test(`${build}: a replica with less room than one unit is not told as closed, a closed one is`, (t) => {
    const flow = live({
      clientOffer: { windowShift: 2 },
      primaryOffer: { windowShift: 12 },
      replicaOffer: { window: 0 },
    });
    t.is(flow.stack.ack({ window: 3000 }).toClient()[0]?.window, 1);
    flow.client.data(3000);
    t.is(flow.take().stack.ack({ window: 0 }).toClient()[0]?.window, 0);
  });

  test(`${build}: the client's window in the replica's scale`, (t) => {
    const flow = live({
      clientOffer: { windowShift: 5, window: 1000 },
      primaryOffer: { windowShift: 7 },
      replicaOffer: { windowShift: 9 },
    });
    t.is(flow.client.data('x').toReplica()[0]?.window, 1000);
    const unscaled = live({ clientOffer: { windowShift: 5, window: 1000 }, primaryOffer: { windowShift: 7 } });
    t.is(unscaled.client.data('x').toReplica()[0]?.window, 32_000);
    t.is(unscaled.client.ack({ window: 5000 }).toReplica()[0]?.window, 0xffff);
  });

  // --- SACK (RFC 2018, RFC 2883) ----------------------------------------------------------------------------------

  test(`${build}: SACK edges follow the numbers they speak of, in both directions`, (t) => {
    const flow = live({ clientOffer: { sack: true }, primaryOffer: { sack: true }, replicaOffer: { sack: true } });
    const server = flow.client.received;
    const shift = (n: number): number => (n - server + flow.stack.next) >>> 0;
    for (const pad of [[nop(), nop()], [nop()]]) {
      const blocks: [number, number][] = [
        [server, server + 100],
        [server + 200, server + 300],
      ];
      flow.client.ack({ options: [...pad, sack(...blocks)] });
      t.deepEqual(
        flow.toReplica()[0]?.sack,
        blocks.map(([left, right]) => [shift(left), shift(right)]),
      );
    }
    const mine: [number, number] = [flow.client.next + 10, flow.client.next + 20];
    flow.stack.ack({ options: [nop(), nop(), sack(mine)] });
    t.deepEqual(flow.toClient()[0]?.sack, [mine]);
  });

  test(`${build}: SACK blocks of a segment that is built anew go with it, the latest three beside timestamps`, (t) => {
    const all = { sack: true } as const;
    const flow = live({
      clientOffer: { ...TS.clientOffer, ...all },
      primaryOffer: { ...TS.primaryOffer, ...all },
      replicaOffer: all,
    });
    const blocks = [40, 30, 20, 10].map((n): [number, number] => [flow.client.next + n, flow.client.next + n + 5]);
    flow.stack.ack({ options: [nop(), nop(), sack(...blocks)] });
    t.like(flow.toClient()[0], { sack: blocks.slice(0, 3), optionBytes: 40, ack: flow.client.next });
    t.not(flow.toClient()[0]?.timestamps, undefined);
  });

  test(`${build}: SACK blocks of a frame that is split go with every part`, (t) => {
    const offers = {
      clientOffer: { sack: true, mss: 536 },
      primaryOffer: { sack: true },
      replicaOffer: { sack: true },
    };
    const flow = live(offers);
    const mine: [number, number] = [flow.client.next + 10, flow.client.next + 20];
    flow.stack.data(1000, { options: [nop(), nop(), sack(mine)] });
    const parts = flow.toClient();
    t.deepEqual(
      parts.map((part) => [part.payload.length, part.sack]),
      [
        [524, [mine]],
        [476, [mine]],
      ],
    );
    t.is(parts[1]?.seq, (parts[0]?.seq ?? 0) + 524);
  });

  test(`${build}: SACK blocks reach a client whose primary had closed its side`, (t) => {
    const offer = { sack: true } as const;
    const offers = { clientOffer: offer, primaryOffer: offer, replicaOffer: offer };
    const flow = new Flow(new World(build), offers).serverFin().client.ack().recovered();
    const mine: [number, number] = [flow.client.next + 10, flow.client.next + 20];
    flow.stack.ack({ options: [nop(), nop(), sack(mine)] });
    t.like(flow.toClient()[0], { sack: [mine], seq: flow.client.received, ack: flow.client.next });
  });

  test(`${build}: SACK blocks about the primary's bytes mean nothing to the replica`, (t) => {
    const flow = live({ clientOffer: { sack: true }, primaryOffer: { sack: true }, replicaOffer: { sack: true } });
    const server = flow.client.received;
    flow.client.ack({ options: [nop(), nop(), sack([server - 50, server - 20])] });
    t.like(flow.toReplica()[0], { sack: [], optionBytes: 12 });
  });

  // --- ECN (RFC 3168) ---------------------------------------------------------------------------------------------

  test(`${build}: ECN signals reach a replica that agreed to them, and no other`, (t) => {
    const ecn = { clientOffer: { ecn: true }, primaryOffer: { ecn: true } };
    t.is(
      live({ ...ecn, replicaOffer: { ecn: true } })
        .client.segment('AEC')
        .toReplica()[0]?.flags,
      'AEC',
    );
    t.is(live(ecn).client.segment('AEC').toReplica()[0]?.flags, 'A');
  });

  // --- sizes ------------------------------------------------------------------------------------------------------

  test(`${build}: segments of the replica larger than the client's MSS are split`, (t) => {
    for (const withTimestamps of [false, true]) {
      const tsval = withTimestamps ? 1000 : undefined;
      const flow = live({ clientOffer: { tsval, mss: 536 }, primaryOffer: { tsval }, replicaOffer: { tsval } });
      const server = flow.client.received;
      const first = flow.stack.next;
      flow.stack.segment('FPA', { payload: flow.stack.pattern(first, 1460) });
      const parts = flow.toClient();
      const room = withTimestamps ? 524 : 536;
      t.deepEqual(
        parts.map(({ seq, payload, flags, ack }) => [seq - server, payload.length, flags, ack]),
        [
          [0, room, 'A', flow.client.next],
          [room, room, 'A', flow.client.next],
          [2 * room, 1460 - 2 * room, 'FPA', flow.client.next],
        ],
      );
      t.deepEqual(Buffer.concat(parts.map(({ payload }) => payload)), Buffer.from(flow.stack.pattern(first, 1460)));
      t.is(flow.world.counted(Counter.SplitSegments), 3);
    }
  });

  test(`${build}: a client's frame merged by receive offload goes whole to the local stack, split to a remote one`, (t) => {
    const local = live();
    local.client.data(40_000);
    t.deepEqual(
      local.toReplica().map(({ payload }) => payload.length),
      [40_000],
    );
    const remote = live({ remote: true });
    const first = remote.client.next;
    remote.client.data(40_000);
    t.true(remote.toReplica().every(({ payload }) => payload.length <= 1460));
    const whole = Buffer.concat(remote.toReplica().map(({ payload }) => payload));
    t.deepEqual(whole, Buffer.from(remote.client.pattern(first, 40_000)));
  });

  test(`${build}: what does not fit the outgoing link and may not be split is refused`, (t) => {
    const flow = live({}, { stackMtu: 576 });
    flow.client.data(1000);
    t.deepEqual(flow.toReplica(), []);
    t.is(flow.world.refused(Reason.TooBig), 1);
  });

  test(`${build}: a payload cut by the snapshot length is not passed on`, (t) => {
    const flow = live();
    const frame = flow.frame(flow.client, 'PA', { payload: 'hello world' });
    t.deepEqual(flow.world.receive(Port.Wire, frame.subarray(0, frame.length - 3), frame.length), []);
    t.is(flow.world.refused(Reason.TruncatedPayload), 1);
  });

  test(`${build}: partial checksums of local offload are completed in both directions`, (t) => {
    const flow = live();
    flow.client.data('hello', { checksum: 'partial' });
    t.deepEqual(flow.toReplica()[0]?.payload, bytesOf('hello'));
    flow.take().stack.data('world', { checksum: 'partial' });
    t.deepEqual(flow.toClient()[0]?.payload, bytesOf('world'));
    t.is(flow.world.counted(Counter.ChecksumRecomputed), 2);
  });

  test(`${build}: a damaged client segment stays damaged`, (t) => {
    const flow = live();
    flow.world.checksums = false;
    flow.client.data('hello', { checksum: 0x1111 });
    const [passed] = flow.toReplica();
    t.not(passed, undefined);
    flow.world.checksums = true;
    t.throws(() => flow.client.data('hello', { checksum: 0x2222 }), { message: /wrong checksum/ });
  });

  // --- link -------------------------------------------------------------------------------------------------------

  for (const tags of [[{ vid: 100, priority: 3 }], [{ vid: 200, tpid: 0x88a8 }, { vid: 30 }]]) {
    test(`${build}: ${tags.length} VLAN tags are taken off for the stack and put on for the client`, (t) => {
      const flow = live({ tags });
      t.like(flow.client.data('hello').toReplica()[0], { tags: [], dstMac: MAC.stack, srcMac: MAC.gateway });
      flow.take().stack.data('world');
      const [answer] = flow.toClient();
      t.like(answer, { dstMac: MAC.client, srcMac: MAC.daemon });
      t.deepEqual(
        answer?.tags,
        tags.map(
          (tag) =>
            `${'tpid' in tag ? '88a8' : '8100'}:${((('priority' in tag ? 3 : 0) << 13) | tag.vid).toString(16).padStart(4, '0')}`,
        ),
      );
    });
  }

  test(`${build}: answers go to where the client's last frame came from`, (t) => {
    const flow = live();
    flow.client.data('x', { srcMac: '02:00:00:00:00:77' });
    flow.take().stack.data('y');
    t.is(flow.toClient()[0]?.dstMac, '02:00:00:00:00:77');
  });

  // --- ends -------------------------------------------------------------------------------------------------------

  test(`${build}: RST in both directions, with and without acknowledgement`, (t) => {
    for (const flags of ['R', 'RA']) {
      const a = live();
      a.client.segment(flags, flags === 'R' ? { ack: 0 } : {});
      t.like(a.toReplica()[0], { flags, seq: a.client.next, ack: flags === 'R' ? 0 : a.stack.next });
      t.is(a.record().state, TcpState.Closed);
      const b = live();
      const server = b.client.received;
      b.stack.segment(flags, flags === 'R' ? { ack: 0 } : {});
      t.like(b.toClient()[0], { flags, seq: server, ack: flags === 'R' ? 0 : b.client.next });
      t.is(b.record().state, TcpState.Closed);
    }
  });

  test(`${build}: the urgent pointer passes (it is relative to the sequence number)`, (t) => {
    const flow = live();
    t.like(flow.client.segment('UPA', { payload: 'urgent', urgent: 3 }).toReplica()[0], { urgent: 3, flags: 'PAU' });
  });

  test(`${build}: unknown options pass as they are`, (t) => {
    const flow = live();
    flow.client.data('x', { options: [tcpOption(77, [1, 2, 3, 4]), mss(9)] });
    t.is(flow.toReplica()[0]?.optionBytes, 12);
  });
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
