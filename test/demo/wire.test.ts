/** What the demo reads off the wire: acknowledged bytes, silences, resets, round trips. */
import test from 'ava';
import type { Server } from '../../src/demo/wire';
import { WireWatch } from '../../src/demo/wire';
import type { TcpOptions } from '../support/frames';
import { tcpFrame } from '../support/frames';

const MAC = { client: '02:00:00:00:00:aa', primary: '02:00:00:00:00:02', replica: '02:00:00:00:00:03' } as const;
const INBOUND = { srcMac: MAC.client, src: '10.77.0.10', srcPort: 40000, dst: '10.77.0.2', dstPort: 7000 } as const;
const OUTBOUND = { src: INBOUND.dst, srcPort: INBOUND.dstPort, dst: INBOUND.src, dstPort: INBOUND.srcPort } as const;
/** The stream passes 2^32. */
const ISN = 0xffff_fff0;
/** What the observer's capture keeps of a frame. */
const SNAP_BYTES = 60;

function watchTo(onProgress: (server: Server, times: number) => void): WireWatch {
  const digits = (mac: string) => mac.replaceAll(':', '');
  return new WireWatch({ primaryMac: digits(MAC.primary), replicaMac: digits(MAC.replica), port: 7000, onProgress });
}

/** A client's connection and its servers, on the wire that the watch sees. */
class Wire {
  readonly progress: [Server, number][] = [];
  private readonly watch = watchTo((...now) => this.progress.push(now));

  constructor() {
    this.client(0, -1, { flags: 'S' });
  }

  /** A segment of the client, at an offset in its stream. */
  client(atMs: number, offset: number, { payload = 0, flags = 'A' } = {}): void {
    this.frame(atMs, { ...INBOUND, seq: (ISN + 1 + offset) >>> 0, flags, payload: new Uint8Array(payload) });
  }

  /** An acknowledgement up to an offset. */
  server(atMs: number, server: Server, offset: number, flags = 'A'): void {
    this.frame(atMs, { ...OUTBOUND, srcMac: MAC[server], ack: (ISN + 1 + offset) >>> 0, flags });
  }

  report(atMs = 0) {
    return this.watch.report(atMs);
  }

  connection(atMs = 0) {
    return this.report(atMs).connections[0];
  }

  private frame(atMs: number, options: TcpOptions): void {
    // Padded to the least that Ethernet sends, and cut as a capture does.
    this.watch.frame(Buffer.from(tcpFrame({ ...options, padTo: 60 }).subarray(0, SNAP_BYTES)), atMs);
  }
}

test('what the primary acknowledged is counted, across the wrap, and what the replica did is not', (t) => {
  const wire = new Wire();
  wire.server(1, 'primary', 0, 'SA');
  wire.client(10, 0, { payload: 32 });
  wire.server(11, 'primary', 32);
  wire.client(20, 32, { payload: 16 });
  wire.server(21, 'replica', 48);
  t.like(wire.connection(), { client: '10.77.0.10:40000', primaryAcknowledged: 32 });
  t.deepEqual(wire.progress, [
    ['primary', 1],
    ['replica', 1],
  ]);
});

test('silence lasts from the last progress while something is outstanding', (t) => {
  const wire = new Wire();
  wire.client(100, 0, { payload: 16 });
  wire.server(103, 'primary', 16);
  // Nobody waits here.
  wire.client(500, 16, { payload: 16 });
  wire.client(510, 32, { payload: 16 });
  wire.server(520, 'primary', 32);
  wire.client(600, 48, { payload: 16 });
  wire.server(720, 'replica', 48);
  wire.server(725, 'replica', 64);
  t.like(wire.connection(), { primarySilenceMs: 20, replicaSilenceMs: 200 });
});

test('an acknowledgement that says nothing new ends no silence', (t) => {
  const wire = new Wire();
  wire.client(100, 0, { payload: 16 });
  wire.server(150, 'primary', 0);
  wire.server(180, 'primary', 16);
  t.like(wire.connection(), { primarySilenceMs: 80 });
});

test('a silence that nobody ends lasts until the report', (t) => {
  const wire = new Wire();
  wire.client(100, 0, { payload: 16 });
  t.like(wire.connection(900), { primarySilenceMs: 0, replicaSilenceMs: 800 });
});

for (const from of ['client', 'replica'] as const) {
  const reset = (wire: Wire) => {
    if (from === 'client') wire.client(50, 16, { flags: 'RA' });
    else wire.server(50, 'replica', 16, 'RA');
  };

  test(`an RST of the ${from} is seen`, (t) => {
    const wire = new Wire();
    reset(wire);
    t.is(wire.report().resets.length, 1);
  });

  test(`an RST of the ${from} that finds only one end closed is seen`, (t) => {
    const wire = new Wire();
    wire.client(40, 16, { flags: 'FA' });
    reset(wire);
    t.is(wire.report().resets.length, 1);
  });

  test(`an RST of the ${from} after both ends have closed is none`, (t) => {
    const wire = new Wire();
    wire.client(40, 16, { flags: 'FA' });
    wire.server(41, 'replica', 17, 'FA');
    reset(wire);
    t.deepEqual(wire.report().resets, []);
  });
}

test('the round trip is the median of segments sent once, after the move', (t) => {
  const wire = new Wire();
  wire.client(100, 0, { payload: 16 });
  wire.server(110, 'primary', 16);
  t.is(wire.report().roundTripMs, undefined, "the primary's");
  wire.client(120, 16, { payload: 16 });
  wire.server(400, 'replica', 32);
  t.is(wire.report().roundTripMs, undefined, 'of what was on its way');
  wire.client(500, 32, { payload: 16 });
  wire.client(700, 32, { payload: 16 });
  wire.server(701, 'replica', 48);
  t.is(wire.report().roundTripMs, undefined, 'of what was sent twice');
  wire.client(800, 48, { payload: 16 });
  wire.server(800, 'replica', 64);
  t.is(wire.report().roundTripMs, undefined, 'below the resolution of the clock');
  let offset = 64;
  for (const ms of [2, 90, 3]) {
    wire.client(1000 + offset, offset, { payload: 16 });
    offset += 16;
    wire.server(1000 + offset - 16 + ms, 'replica', offset);
  }
  t.is(wire.report().roundTripMs, 3);
});

test('frames that are cut, of other protocols or of unknown connections are none of it', (t) => {
  const whole = Buffer.from(tcpFrame({ ...OUTBOUND, srcMac: MAC.replica, flags: 'R' }));
  const watch = watchTo(() => t.fail());
  for (let length = 0; length <= whole.length; length++) watch.frame(whole.subarray(0, length), 0);
  t.deepEqual(watch.report(0), { connections: [], resets: [], roundTripMs: undefined });
});
