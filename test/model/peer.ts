/**
 * A TCP as small as can be: what it has sent and what it has read, counted in elements of the two streams. An element is a
 * byte, or the FIN at the end. It sends elements one by one or several again, keeps what comes out of order, and
 * acknowledges whenever it likes.
 */
export class Peer {
  /** Elements sent, and how many of these are acknowledged. */
  next = 0;
  acked = 0;
  /** Elements read in order; bit i of `held`: element read + i is there already. */
  read = 0;
  held = 0;
  /** It has something to acknowledge. */
  owesAck = false;

  copy(): Peer {
    const copy = new Peer();
    copy.next = this.next;
    copy.acked = this.acked;
    copy.read = this.read;
    copy.held = this.held;
    copy.owesAck = this.owesAck;
    return copy;
  }

  /** Elements from `first` on have arrived. */
  take(first: number, count: number): void {
    // RFC 9293 3.10.7.4: what lies before the window is answered, empty or not.
    if (count > 0 || first < this.read) this.owesAck = true;
    for (let i = first; i < first + count; i++) {
      if (i >= this.read) this.held |= 1 << (i - this.read);
    }
    for (; (this.held & 1) !== 0; this.held >>>= 1) this.read++;
  }

  acknowledge(upTo: number): void {
    if (upTo > this.acked) this.acked = upTo;
  }

  get isWaiting(): boolean {
    return this.acked < this.next;
  }

  /** Two words that say everything. */
  words(): [number, number] {
    return [this.next | (this.acked << 8) | (this.read << 16) | (this.owesAck ? 1 << 24 : 0), this.held];
  }
}
