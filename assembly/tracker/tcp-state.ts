/**
 * The state machine of a connection as an observer between both ends sees it (RFC 9293 3.3.2, 3.10.7).
 *
 * Theory of operation. The ends have eleven states each; an observer cannot know them (a segment it saw may be lost
 * later, a segment it did not see may have arrived). It can know which SYNs and FINs have been sent and which
 * acknowledged. Nine states follow; TimeWait is not an event's result but a fact about numbers, namely that both FINs
 * are acknowledged, and is set by the tracker. The table says what a segment does, by direction, event and state;
 * whether its numbers are believable is the window check's business and comes after the table.
 *
 * Cells: fr ss sr es cf sf bf tw cl   name a state
 *        ig                           the segment changes nothing, and is normal (RFC 5961 challenge and the like)
 *        iv                           the segment is impossible here
 */
import { Dir, Reason, TcpEvent, TcpState } from '../abi/codes';
import { TcpFlag } from '../parser/packet';

const ss: u8 = <u8>TcpState.SynSent;
const sr: u8 = <u8>TcpState.SynReceived;
const es: u8 = <u8>TcpState.Established;
const cf: u8 = <u8>TcpState.ClientFin;
const sf: u8 = <u8>TcpState.ServerFin;
const bf: u8 = <u8>TcpState.BothFin;
const tw: u8 = <u8>TcpState.TimeWait;
const cl: u8 = <u8>TcpState.Closed;
const ig: u8 = 0xfe;
const iv: u8 = 0xff;

const STATES: usize = <usize>TcpState.Count;
const EVENTS: usize = <usize>TcpEvent.Count;

// prettier-ignore
const TABLE: usize = memory.data<u8>([
  // Client to server
  //    fr  ss  sr  es  cf  sf  bf  tw  cl
  /*S*/ ss, ss, sr, ig, ig, ig, ig, ss, ss,
  //    fr->ss  A new connection.
  //    ss->ss  The SYN again, perhaps with a new ISN: the first was lost (3.8.1).
  //    sr->sr  The SYN again: its SYN-ACK was lost. Another ISN is a challenge for the server (RFC 5961 4.2); ignored.
  //    es..bf  For a live connection: the server answers with a challenge ACK (RFC 5961 4.2). Remembered only, in case
  //            the server answers with a SYN-ACK: then the connection had died unseen.
  //    tw->ss  Reopened (3.6.1, RFC 6191).
  //    cl->ss  The port is used again.
  /*SA*/iv, iv, iv, iv, iv, iv, iv, iv, iv,
  //    A client never answers a SYN: no simultaneous open with a listening server (3.5).
  /*A*/ es, es, es, es, cf, sf, bf, tw, iv,
  //    fr->es  Picked up while running.
  //    ss->es  The tap missed the SYN-ACK.
  //    sr->es  Third step of the handshake.
  //    es..tw  Data and acknowledgements.
  //    cl->iv  Nothing can follow a reset.
  /*F*/ iv, cf, cf, cf, cf, bf, bf, tw, iv,
  //    fr->iv  Picking up a connection that is about to end serves nobody.
  //    ss,sr   Data and FIN right behind the handshake; what lies between was lost on the tap.
  //    es->cf  The client has no more to send.
  //    cf,bf   The FIN again.
  //    sf->bf  Second FIN.
  //    tw      A late copy: its acknowledgement was lost (3.10.7.4, TIME-WAIT).
  /*R*/ iv, cl, cl, cl, cl, cl, cl, tw, cl,
  //    tw->tw  RFC 1337: a reset must not assassinate TIME-WAIT.

  // Server to client
  //    fr  ss  sr  es  cf  sf  bf  tw  cl
  /*S*/ iv, iv, iv, iv, iv, iv, iv, iv, iv,
  //    A service port does not open connections.
  /*SA*/iv, sr, sr, es, cf, sf, bf, tw, iv,
  //    fr->iv  Answers a SYN nobody sent.
  //    ss->sr  Second step of the handshake.
  //    sr..tw  The SYN-ACK again: the client's ACK was lost. (Or a new incarnation: see the tracker.)
  /*A*/ es, ig, es, es, cf, sf, bf, tw, iv,
  //    fr->es  Picked up while running.
  //    ss->ig  Challenge ACK for an old incarnation (3.5.1): the client will reset it.
  //    sr->es  The server speaks first; the tap missed the client's ACK.
  /*F*/ iv, iv, sf, sf, bf, sf, bf, tw, iv,
  //    sr->sf  The server closes at once; the tap missed the client's ACK.
  //    es->sf  The server has no more to send.
  //    cf->bf  Second FIN.
  /*R*/ iv, cl, cl, cl, cl, cl, cl, tw, cl,
  //    ss->cl  Refused (3.10.7.3); believed only if it acknowledges the SYN.
]);

/** What a segment is to the state machine: RST before SYN before FIN, as a receiver looks at them (3.10.7). */
export function eventOf(flags: u32): TcpEvent {
  // Nearly every segment, at one comparison.
  if ((flags & (TcpFlag.Rst | TcpFlag.Syn | TcpFlag.Fin)) == 0) return TcpEvent.Ack;
  if (flags & TcpFlag.Rst) return TcpEvent.Rst;
  if (flags & TcpFlag.Syn) return flags & TcpFlag.Ack ? TcpEvent.SynAck : TcpEvent.Syn;
  return TcpEvent.Fin;
}

/** The table's cell: a TcpState, or -Reason when the segment changes nothing. */
export function transition(dir: Dir, event: TcpEvent, state: TcpState): i32 {
  const cell = load<u8>(TABLE + (<usize>dir * EVENTS + <usize>event) * STATES + <usize>state);
  if (cell == iv) return -(<i32>Reason.InvalidState);
  if (cell == ig) return event == TcpEvent.Syn ? -(<i32>Reason.SynOnLive) : -(<i32>Reason.None);
  return <i32>cell;
}
