/**
 * The state table: every cell (direction, event, state) against a table written here from the standards, not from the
 * core. Each cell is one segment with right numbers for a connection that was led into the state by segments.
 */
import test from 'ava';
import { Reason, TcpState } from '../../assembly/abi/codes';
import { type End, Flow } from '../support/flow';
import { World } from '../support/world';

const BUILDS = ['debug', 'release'] as const;

/** Two letters per state: what the state is after the segment. `--`: refused, with the reason of the row. */
const LETTERS = {
  fr: TcpState.Free,
  ss: TcpState.SynSent,
  sr: TcpState.SynReceived,
  es: TcpState.Established,
  cf: TcpState.ClientFin,
  sf: TcpState.ServerFin,
  bf: TcpState.BothFin,
  tw: TcpState.TimeWait,
  cl: TcpState.Closed,
} as const;
type Letters = keyof typeof LETTERS;
const STATES = Object.keys(LETTERS) as Letters[];

/** How segments lead a connection into a state. */
const INTO: Readonly<Record<Letters, (flow: Flow) => Flow>> = {
  fr: (flow) => flow,
  ss: (flow) => flow.synSent(),
  sr: (flow) => flow.synReceived(),
  es: (flow) => flow.established(),
  cf: (flow) => flow.clientFin(),
  sf: (flow) => flow.serverFin(),
  bf: (flow) => flow.bothFin(),
  tw: (flow) => flow.timeWait(),
  cl: (flow) => flow.closed(),
};

/** What a cell says when the segment changes nothing: a refusal (`xx`), or a normal segment without effect (`==`). */
type Cell = Letters | 'xx' | '==';

interface Row {
  readonly name: string;
  readonly rfc: string;
  readonly end: 'client' | 'primary';
  readonly send: (end: End, flow: Flow) => Flow;
  /** In the order of STATES. */
  readonly cells: string;
  /** Reasons that `xx` may stand for in this row. */
  readonly reasons: readonly Reason[];
}

const NO_STATE = [Reason.InvalidState, Reason.NoConnection];

const ROWS: readonly Row[] = [
  {
    name: 'SYN of the client',
    rfc: 'RFC 9293 3.10.7.2, 3.6.1 (reopening); RFC 5961 4.2 (a live connection is not disturbed)',
    end: 'client',
    send: (end) => end.syn({ seq: (end.offer.isn + 70_000) >>> 0 }),
    cells: 'ss ss xx xx xx xx xx ss ss',
    reasons: [Reason.SynOnLive],
  },
  {
    name: 'SYN of the client, repeated',
    rfc: 'RFC 9293 3.8.1: the SYN or its SYN-ACK was lost',
    end: 'client',
    send: (end) => end.syn(),
    cells: 'ss ss sr xx xx xx xx ss ss',
    reasons: [Reason.SynOnLive],
  },
  {
    name: 'SYN-ACK of the client',
    rfc: 'RFC 9293 3.5: only simultaneous open has it, and a listening server does not open',
    end: 'client',
    send: (end) => end.segment('SA', { seq: end.next }),
    cells: 'xx xx xx xx xx xx xx xx xx',
    reasons: [...NO_STATE, Reason.UnsolicitedSynAck],
  },
  {
    name: 'ACK of the client',
    rfc: 'RFC 9293 3.10.7.4: third step, data, and the last acknowledgement',
    end: 'client',
    send: (end) => end.ack(),
    cells: 'es es es es cf sf tw tw xx',
    reasons: NO_STATE,
  },
  {
    name: 'FIN of the client',
    rfc: 'RFC 9293 3.10.7.4, eighth step; 3.6',
    end: 'client',
    send: (end) => end.fin(),
    cells: 'xx cf cf cf cf bf bf tw xx',
    reasons: NO_STATE,
  },
  {
    name: 'RST of the client',
    rfc: 'RFC 9293 3.10.7.4, second step; RFC 1337 (TIME-WAIT stays)',
    end: 'client',
    send: (end) => end.rst(),
    cells: 'xx cl cl cl cl cl cl tw cl',
    reasons: NO_STATE,
  },
  {
    name: 'SYN of the server',
    rfc: 'RFC 9293 3.5: a listening server does not open',
    end: 'primary',
    send: (end) => end.segment('S', { seq: end.offer.isn, ack: 0 }),
    cells: 'xx xx xx xx xx xx xx xx xx',
    reasons: NO_STATE,
  },
  {
    name: 'SYN-ACK of the server',
    rfc: 'RFC 9293 3.10.7.3; again when the third step was lost, 3.8.1',
    end: 'primary',
    send: (end, flow) => end.segment('SA', { seq: end.offer.isn, ack: (flow.client.offer.isn + 1) >>> 0 }),
    cells: 'xx sr sr es cf sf bf tw xx',
    reasons: [...NO_STATE, Reason.UnsolicitedSynAck],
  },
  {
    name: 'ACK of the server',
    rfc: 'RFC 9293 3.10.7.4; in SYN-SENT a challenge for the client, 3.5.1',
    end: 'primary',
    send: (end) => end.ack(),
    cells: 'es == es es cf sf bf tw xx',
    reasons: NO_STATE,
  },
  {
    name: 'FIN of the server',
    rfc: 'RFC 9293 3.10.7.4, eighth step; a server may close at once, 3.6',
    end: 'primary',
    send: (end) => end.fin(),
    cells: 'xx xx sf sf bf sf bf tw xx',
    reasons: NO_STATE,
  },
  {
    name: 'RST of the server',
    rfc: 'RFC 9293 3.10.7.3 (refused), 3.10.7.4; RFC 1337',
    end: 'primary',
    send: (end, flow) => end.segment('RA', { ack: flow.client.next }),
    cells: 'xx cl cl cl cl cl cl tw cl',
    reasons: NO_STATE,
  },
];

for (const build of BUILDS) {
  for (const { name, rfc, end, send, cells, reasons } of ROWS) {
    test(`${build}: ${name} (${rfc})`, (t) => {
      const row = cells.split(' ') as Cell[];
      t.is(row.length, STATES.length);
      for (const [i, state] of STATES.entries()) {
        const cell = row[i] ?? 'xx';
        const flow = INTO[state](new Flow(new World(build)));
        t.is(flow.found()?.state ?? TcpState.Free, LETTERS[state], `the way into ${state}`);
        const before = flow.world.refusals();
        const bytes = state === 'fr' ? undefined : flow.bytes();
        send(end === 'client' ? flow.client : flow.primary, flow);
        const refused = flow.world.refusals().flatMap((n, reason) => (n > (before[reason] ?? 0) ? [reason] : []));
        const now = flow.found()?.state ?? TcpState.Free;
        if (cell === 'xx') {
          t.true(
            refused.length === 1 && reasons.some((reason) => reason === refused[0]),
            `${state}: refused ${refused.join()}`,
          );
          t.is(now, LETTERS[state], `${state}: stays`);
        } else {
          t.deepEqual(refused, [], `${state}: not refused`);
          t.is(now, cell === '==' ? LETTERS[state] : LETTERS[cell], `${state} -> ${cell}`);
          if (cell === '==') t.deepEqual(flow.bytes(), bytes, `${state}: the record is as it was`);
        }
      }
    });
  }
}
