/**
 * What the client had heard before it spoke. Many a server takes it amiss when a client answers a question that has not
 * been asked yet (STARTTLS and its kin drop what comes early, as an attack). So beside the client's bytes the record has
 * marks: the client sent what begins at `seq` after it had acknowledged `offset` bytes of the server's stream. A replica
 * is not given these bytes before it has sent as many itself.
 *
 *   mark   0 ┌ seq u32, 0 ┐ 8 ┌ offset u64 ┐ 16
 *
 * Nothing can wait for ever that way, if the replica says what the primary said: the primary had sent `offset` bytes
 * knowing only what comes before `seq`. A replica that says less never reaches the client's position anyway.
 */
import { CAUSE_BYTES, Connection } from './connection';
import { CONN_COPY_FIN } from './marks';
import { readRetained, releaseAll, releaseBefore, retain } from './retained';
import { seqMin } from '../parser/seq';

const MARK: usize = memory.data(CAUSE_BYTES, 8);

/** The client sends `seq` for the first time, and has acknowledged `offset` bytes. False when there is no room to note it. */
export function noteCause(c: Connection, seq: u32, offset: u64): bool {
  if (offset <= c.lastCause) return true;
  store<u32>(MARK, seq);
  store<u64>(MARK, offset, 8);
  if (retain(c.causes, c.causeEnd, MARK, CAUSE_BYTES) > 0) return false;
  c.causeEnd += CAUSE_BYTES;
  c.lastCause = offset;
  return true;
}

/** The first number, `limit` at the latest, that has to wait until the replica has said more. */
export function causeLimit(c: Connection, limit: u32): u32 {
  // A FIN that the client has acknowledged counts as one more.
  const said = c.copyOffset + (c.marked(CONN_COPY_FIN) ? 1 : 0);
  while (c.causeNext != c.causeEnd) {
    readRetained(c.causes, c.causeNext, MARK, CAUSE_BYTES);
    if (said < load<u64>(MARK, 8)) return seqMin(limit, load<u32>(MARK));
    c.causeNext += CAUSE_BYTES;
  }
  return limit;
}

/** Marks that the replica has passed are of no use when no other can be given the stream. */
export function releaseCauses(c: Connection): void {
  releaseBefore(c.causes, c.causeNext);
}

export function forgetCauses(c: Connection): void {
  releaseAll(c.causes);
  c.causeNext = 0;
  c.causeEnd = 0;
  c.lastCause = 0;
}
