/**
 * What the tracker knows after each step of a connection: the record, number by number. Which step is possible in which
 * state is in tcp-state.test.ts, which numbers are believed in window.test.ts.
 */
import test from 'ava';
import { Reason, RecordState, Risk, TcpState } from '../../assembly/abi/codes';
import {
  CONNECTION_FLAG_ECN,
  CONNECTION_FLAG_HANDSHAKE,
  CONNECTION_FLAG_MPTCP,
  CONNECTION_FLAG_SACK,
  CONNECTION_FLAG_TFO,
  CONNECTION_FLAG_TIMESTAMPS,
  CONNECTION_FLAG_WINDOW_SCALE,
  FLOW_FLAG_FIN,
  FLOW_FLAG_FIN_ACKED,
  FLOW_FLAG_ISN,
  FLOW_FLAG_SEEN,
  FLOW_FLAG_SPOKE,
  FLOW_FLAG_TS,
  SERVICE_FLAG_REPLAY,
} from '../../assembly/abi/layout';
import { Flow, type Offer } from '../support/flow';
import { mptcpCapable, mss, nop, sack, timestamps, windowScale } from '../support/frames';
import { World } from '../support/world';

const BUILDS = ['debug', 'release'] as const;
/** What Linux chooses with its default buffers. */
const GUESSED_SHIFT = 7;
const OPENED = FLOW_FLAG_ISN | FLOW_FLAG_SEEN | FLOW_FLAG_SPOKE;
const NOTHING_SEEN = { isn: 0, end: 0, acked: 0, edge: 0, maxWindow: 0, mss: 0, windowShift: 0, flags: 0, passed: 0 };
const SCALED: { clientOffer: Offer; primaryOffer: Offer } = {
  clientOffer: { windowShift: 3, window: 1000, mss: 1400 },
  primaryOffer: { windowShift: 5, window: 500, mss: 1300 },
};

/** The upper half of `flags` is the tracker's own. */
const agreed = (flow: Flow): number => flow.record().flags & 0xffff;

for (const build of BUILDS) {
  const fresh = (options = {}): Flow => new Flow(new World(build), options);

  // --- handshake --------------------------------------------------------------------------------------------------

  test(`${build}: the record after a SYN, its SYN-ACK and the client's first words`, (t) => {
    const flow = fresh(SCALED).synSent();
    const [client, server] = [flow.client.offer.isn, flow.primary.offer.isn];
    const sent = { isn: client, end: client + 1, mss: 1400, windowShift: 3, flags: OPENED, maxWindow: 1000 };
    t.like(flow.record(), { state: TcpState.SynSent, risk: Risk.None, outbound: NOTHING_SEEN });
    t.like(flow.record().inbound, { ...sent, acked: client, edge: client + 1, passed: 0 });
    t.is(agreed(flow), 0);

    flow.primary.synAck();
    t.is(flow.record().state, TcpState.SynReceived);
    t.is(agreed(flow), CONNECTION_FLAG_HANDSHAKE | CONNECTION_FLAG_WINDOW_SCALE);
    // Windows of SYNs are not scaled.
    t.like(flow.record().inbound, { ...sent, acked: client + 1, edge: client + 1 + 500, passed: 1 });
    const answered = { isn: server, end: server + 1, mss: 1300, windowShift: 5, flags: OPENED, maxWindow: 500 };
    t.like(flow.record().outbound, { ...answered, acked: server, edge: server + 1 + 1000, passed: 0 });

    flow.client.data(10);
    t.is(flow.record().state, TcpState.Established);
    const spoken = { end: client + 11, acked: client + 1, edge: client + 501, maxWindow: 8000, retained: 10 };
    t.like(flow.record().inbound, { ...sent, ...spoken });
    t.like(flow.record().outbound, { ...answered, acked: server + 1, edge: server + 1 + 8000, passed: 1 });
    t.is(flow.record().risk, Risk.None);
  });

  test(`${build}: a window of nothing counts as one byte: what a probe of it may send`, (t) => {
    const flow = fresh({ clientOffer: { window: 0 }, primaryOffer: { window: 0 } }).synReceived();
    const { inbound, outbound } = flow.record();
    t.deepEqual([inbound.maxWindow, outbound.maxWindow], [1, 1]);
    t.is(outbound.edge, outbound.end + 1);
    t.is(inbound.edge, inbound.end);
  });

  test(`${build}: SYNs without options leave none behind`, (t) => {
    const plain = { mss: undefined };
    const flow = fresh({ clientOffer: plain, primaryOffer: plain }).established();
    t.like(flow.record().inbound, { mss: 0, windowShift: 0 });
    t.like(flow.record().outbound, { mss: 0, windowShift: 0 });
  });

  test(`${build}: a scale that one side alone offers holds for neither`, (t) => {
    for (const options of [{ clientOffer: { windowShift: 3 } }, { primaryOffer: { windowShift: 3 } }]) {
      const flow = fresh(options).established();
      t.is(agreed(flow), CONNECTION_FLAG_HANDSHAKE);
      t.like(flow.record(), { inbound: { windowShift: 0 }, outbound: { windowShift: 0 } });
    }
  });

  test(`${build}: data in the SYN is kept, and named`, (t) => {
    const flow = fresh();
    flow.client.syn({ payload: 'early' });
    t.is(agreed(flow), CONNECTION_FLAG_TFO);
    t.like(flow.record().inbound, { end: 1006, edge: 1006, retained: 5 });
    // The server takes the SYN alone: the data is said again.
    flow.primary.synAck({ ack: 1001 });
    t.like(flow.record().inbound, { end: 1006, acked: 1001, retained: 5, passed: 1 });
    const again = fresh().synReceived();
    t.is(agreed(again) & CONNECTION_FLAG_TFO, 0);
    t.is(again.record().inbound.retained, 0);
  });

  test(`${build}: a SYN repeated with another number is another one, the same one is nothing new`, (t) => {
    const flow = fresh().synSent();
    flow.client.syn({ window: 77 });
    t.is(flow.record().inbound.maxWindow, 64_000);
    flow.client.syn({ seq: 9000, window: 77 });
    t.like(flow.record(), { state: TcpState.SynSent, inbound: { isn: 9000, end: 9001, acked: 9000, maxWindow: 77 } });
  });

  test(`${build}: a SYN-ACK repeated with another number is another one, the same one is nothing new`, (t) => {
    const flow = fresh().synReceived();
    flow.primary.synAck({ window: 77 });
    t.is(flow.record().outbound.maxWindow, 64_000);
    flow.primary.synAck({ seq: 7777, window: 77 });
    t.like(flow.record(), { state: TcpState.SynReceived, outbound: { isn: 7777, end: 7778, maxWindow: 77 } });
  });

  test(`${build}: Multipath TCP is a risk when both agree to it`, (t) => {
    const offers = [mss(1460), mptcpCapable()];
    const flow = fresh();
    flow.client.syn({ options: offers }).primary.synAck({ options: offers });
    t.is(agreed(flow), CONNECTION_FLAG_HANDSHAKE | CONNECTION_FLAG_MPTCP);
    t.like(flow.record(), { risk: Risk.Mptcp, holeSeq: 0, holeBytes: 0 });
    const refused = fresh();
    refused.client.syn({ options: offers }).primary.synAck();
    t.is(refused.record().risk, Risk.None);
  });

  // --- handshakes that were not all seen ----------------------------------------------------------------------------

  test(`${build}: the client goes on although no SYN-ACK was seen`, (t) => {
    // Numbers of the server that are "less" than none.
    const server = 0xc000_0000;
    const world = new World(build, { services: [{ flags: SERVICE_FLAG_REPLAY }] });
    const flow = new Flow(world, SCALED).synSent();
    flow.client.received = server;
    flow.client.ack();
    t.like(flow.record(), { state: TcpState.Established, risk: Risk.WindowScaleUnknown, holeSeq: 0, holeBytes: 0 });
    t.is(flow.record().record, RecordState.Lost);
    t.like(flow.record().inbound, { isn: 1000, end: 1001, acked: 1001, windowShift: 3, passed: 1 });
    const seen = { end: server, acked: server, windowShift: GUESSED_SHIFT, flags: FLOW_FLAG_SEEN, passed: 0 };
    t.like(flow.record().outbound, { ...seen, edge: server + 8000 });
    t.is(agreed(flow), 0);
  });

  test(`${build}: a client that offered no window scale is not guessed to use one, though no SYN-ACK was seen`, (t) => {
    const flow = fresh();
    flow.client.syn({ options: [mss(1460)] });
    flow.client.received = 5000;
    flow.client.ack();
    t.like(flow.record(), { state: TcpState.Established, risk: Risk.WindowScaleUnknown });
    t.is(flow.record().outbound.windowShift, 0);
  });

  test(`${build}: a server that answers the SYN of a connection held for live has begun anew`, (t) => {
    for (const shift of [undefined, 5]) {
      const world = new World(build, { services: [{ flags: SERVICE_FLAG_REPLAY }] });
      const flow = new Flow(world, SCALED).established();
      flow.client.data(100);
      flow.primary.data(50, { seq: flow.primary.next + 1 });
      t.not(flow.record().outbound.retained, 0);
      const isn = 0x7000_0000;
      flow.client.segment('S', { seq: isn, ack: 0, options: [mss(1400), nop(), windowScale(3)] });
      t.is(world.refused(Reason.SynOnLive), 1);
      const answer = { seq: 0x1000_0000, window: 300 };
      const options = [mss(1200), ...(shift === undefined ? [] : [nop(), windowScale(shift)])];
      // To another SYN it would be forged.
      flow.primary.segment('SA', { ...answer, ack: isn + 2, options });
      t.is(world.refused(Reason.UnsolicitedSynAck), 1);
      flow.primary.segment('SA', { ...answer, ack: isn + 1, options });
      t.like(flow.record(), { state: TcpState.SynReceived, risk: Risk.WindowScaleUnknown, holeSeq: 0, holeBytes: 0 });
      t.is(agreed(flow), shift === undefined ? 0 : CONNECTION_FLAG_WINDOW_SCALE);
      const mine = { isn, end: isn + 1, acked: isn + 1, edge: isn + 301, retained: 0, passed: 1, mss: 0 };
      const flags = FLOW_FLAG_ISN | FLOW_FLAG_SEEN;
      t.like(flow.record().inbound, { ...mine, flags, windowShift: shift === undefined ? 0 : GUESSED_SHIFT });
      const theirs = { isn: 0x1000_0000, end: 0x1000_0001, acked: 0x1000_0000, edge: 0x1000_0001, maxWindow: 300 };
      t.like(flow.record().outbound, { ...theirs, flags: OPENED, mss: 1200, windowShift: shift ?? 0, retained: 0 });
      // What it answered is over: the same answer would be forged now.
      t.is(flow.primary.segment('SA', { ...answer, seq: 5, ack: isn + 1 }).record().outbound.isn, 5);
    }
  });

  test(`${build}: a port that is used again begins with nothing of its last connection`, (t) => {
    const flow = fresh({ clientOffer: { tsval: 5 }, primaryOffer: { tsval: 6 } }).established();
    flow.client.data(100, { seq: flow.client.next + 50 });
    flow.primary.data(100, { seq: flow.primary.next + 50 });
    t.not(flow.record().risk, Risk.None);
    flow.client.rst({ seq: flow.record().inbound.end });
    t.is(flow.record().state, TcpState.Closed);
    const other = new Flow(flow.world, { clientOffer: { isn: 0x2222_2222 } }).synSent();
    const never = new Flow(new World(build), { clientOffer: { isn: 0x2222_2222 } }).synSent();
    // Nobody looks at the place of a hole that is none.
    const { holeSeq, holeBytes } = other.record();
    t.deepEqual(other.record(), { ...never.record(), seenMs: flow.world.now, holeSeq, holeBytes });
  });

  // --- picked up while running --------------------------------------------------------------------------------------

  test(`${build}: a connection that runs already is known by what its next segment says`, (t) => {
    for (const end of ['client', 'primary'] as const) {
      const flow = fresh();
      flow.client.next = 7000;
      flow.primary.next = 90_000;
      flow.client.received = 90_000;
      flow.primary.received = 7000;
      flow[end].data(100, { window: 10 });
      const [mine, theirs] = end === 'client' ? (['inbound', 'outbound'] as const) : (['outbound', 'inbound'] as const);
      const [seq, ack] = end === 'client' ? [7000, 90_000] : [90_000, 7000];
      const record = flow.record();
      t.like(record, { state: TcpState.Established, risk: Risk.WindowScaleUnknown, holeSeq: 0, holeBytes: 0 });
      t.is(record.seenMs, flow.world.now);
      const window = 10 << GUESSED_SHIFT;
      const said = { end: seq + 100, acked: seq, edge: seq, maxWindow: window, retained: 100, passed: 0 };
      t.like(record[mine], { ...said, windowShift: GUESSED_SHIFT, flags: FLOW_FLAG_SEEN | FLOW_FLAG_SPOKE });
      t.like(record[theirs], { end: ack, acked: ack, windowShift: GUESSED_SHIFT, maxWindow: 0, passed: 0 });
      t.is(record[theirs].edge, ack + window);
      t.is(record[theirs].flags & FLOW_FLAG_SPOKE, 0);
    }
  });

  test(`${build}: what was agreed before the daemon shows when it is used`, (t) => {
    const flow = fresh();
    flow.client.data(1, { options: [nop(), nop(), timestamps(100, 200)] });
    t.is(agreed(flow), CONNECTION_FLAG_TIMESTAMPS);
    flow.client.ack({ options: [nop(), nop(), sack([flow.client.received + 10, flow.client.received + 20])] });
    t.is(agreed(flow), CONNECTION_FLAG_TIMESTAMPS | CONNECTION_FLAG_SACK);
    const known = fresh().established();
    known.client.data(1, { options: [nop(), nop(), timestamps(100, 200)] });
    t.is(agreed(known), CONNECTION_FLAG_HANDSHAKE);
  });

  // --- options that hold --------------------------------------------------------------------------------------------

  test(`${build}: ECN holds when the SYN asks and the SYN-ACK says yes, and only then`, (t) => {
    const asked = (syn: string, synAck: string): number => {
      const flow = fresh();
      flow.client.syn({ flags: syn }).primary.synAck({ flags: synAck });
      return agreed(flow) & CONNECTION_FLAG_ECN;
    };
    t.is(asked('SEC', 'SAE'), CONNECTION_FLAG_ECN);
    for (const [syn, synAck] of [
      ['S', 'SAE'],
      ['SE', 'SAE'],
      ['SC', 'SAE'],
      ['SEC', 'SA'],
      ['SEC', 'SAEC'],
      ['SEC', 'SAC'],
    ] as const) {
      t.is(asked(syn, synAck), 0, `${syn} ${synAck}`);
    }
  });

  test(`${build}: the latest timestamp of each end is known, an old copy's is not taken for it`, (t) => {
    const flow = fresh({ clientOffer: { tsval: 1000 }, primaryOffer: { tsval: 5000 } }).synSent();
    const known = (): number[] => [flow.record().inbound.tsval, flow.record().outbound.tsval];
    const echo = (tsval: number, tsecr: number): Uint8Array[] => [nop(), nop(), timestamps(tsval, tsecr)];
    t.deepEqual(known(), [1000, 0]);
    flow.primary.synAck();
    t.deepEqual(known(), [1000, 5000]);
    t.is(flow.record().outbound.flags & FLOW_FLAG_TS, FLOW_FLAG_TS);
    flow.client.ack();
    flow.client.data(10, { options: echo(1010, 5000) });
    t.deepEqual(known(), [1010, 5000]);
    flow.client.data(10, { seq: flow.client.next - 10, options: echo(1005, 4990) });
    t.deepEqual(known(), [1010, 5000]);
    flow.primary.ack({ options: echo(5020, 1010) });
    t.deepEqual(known(), [1010, 5020]);
    // One that the tap has missed, and the client echoes.
    flow.client.ack({ options: echo(1011, 5030) });
    t.deepEqual(known(), [1011, 5030]);
    // What the server echoes is the client's affair.
    flow.primary.ack({ options: echo(5031, 1999) });
    t.deepEqual(known(), [1011, 5031]);
    flow.client.ack({ options: [] });
    t.deepEqual(known(), [1011, 5031]);
  });

  // --- closing ------------------------------------------------------------------------------------------------------

  test(`${build}: each FIN counts as one number, and is over when it is acknowledged`, (t) => {
    const flow = fresh().established();
    flow.client.data(10);
    flow.client.fin();
    t.like(flow.record().inbound, { finSeq: 1011, end: 1012, acked: 1001, flags: OPENED | FLOW_FLAG_FIN });
    flow.primary.ack({ ack: 1011 });
    t.is(flow.record().inbound.flags & FLOW_FLAG_FIN_ACKED, 0);
    flow.primary.fin();
    t.is(flow.record().inbound.flags, OPENED | FLOW_FLAG_FIN | FLOW_FLAG_FIN_ACKED);
    t.like(flow.record(), { state: TcpState.BothFin, outbound: { finSeq: 500_001, end: 500_002 } });
    flow.client.ack();
    t.is(flow.record().outbound.flags, OPENED | FLOW_FLAG_FIN | FLOW_FLAG_FIN_ACKED);
    t.is(flow.record().state, TcpState.TimeWait);
  });
}
