/**
 * A port on a Linux interface by libpcap, through the `pcap` package.
 *
 * Both ways by pcap: the same session that captures also injects, on the wire as on the private link to the local
 * stack. Raw IP sockets were measured as the other way in and are slower both ways (injection and its replies by
 * pcap 1.5-2.4 Gbit/s and 4.0 us of CPU a packet; raw socket 1.2-1.6 Gbit/s and 6.1 us), parse the destination's text
 * for each packet, cannot send Ethernet headers, and pass the host's firewall as if they came from `lo`. So raw
 * sockets serve the monitor's probes only.
 *
 * No object per frame: the package copies a frame and its four header words into two buffers and calls
 * `on_packet_ready`, whose own version makes an object and an event of them. Here the one buffer is the receiver's,
 * the other a typed array, and `on_packet_ready` passes two numbers on.
 *
 * The package's limits, all met here:
 * - `dispatch` does not return before the ring is empty. Under a load that never lets it become empty neither a timer of
 *   the process nor another port has its turn: whoever receives sees to both, to ports by `poll`.
 * - When the interface goes down or away, the session's file descriptor reports an error; libuv then stops watching
 *   it, for ever, even if the interface comes back. It shows as a wake-up without a frame, or with the last ones. Under
 *   load there are wake-ups without a frame and without cause, so the state of the interface decides; it is also looked
 *   at when nothing has woken the port for `QUIET_MS`. Whoever owns the port opens a new one.
 * - A session is freed only when it is shown one more frame after `close`. Until then it is kept in `closing`: its
 *   objects must not be collected while libuv still watches. A session whose interface is gone is never freed.
 */
import { readFileSync } from 'node:fs';
import pcap from 'pcap';
import { PortError, type PacketPort, type PortStats, type Receiver } from './port';

export interface PcapOptions {
  /** Kernel filter, in pcap-filter(7)'s language. Frames it refuses cost nothing here. */
  readonly filter: string;
  /** Ring of the kernel, shared out in slots of `snapLength` bytes when the interface merges frames. */
  readonly bufferBytes: number;
  /** Captured bytes of a frame at most. */
  readonly snapLength: number;
  /** Also frames for other stations; the interface's own otherwise. */
  readonly promiscuous: boolean;
  /** Of the interface, which whoever opens the port has looked up. */
  readonly mtu: number;
  readonly mac: Uint8Array;
}

/** The package's native side; its published types stop before it. */
interface NativeSession {
  dispatch(buffer: Buffer, header: Buffer): number;
  inject(frame: Buffer): void;
  stats(): { ps_recv: number; ps_drop: number; ps_ifdrop: number };
  close(): void;
  read_callback: () => void;
}

/** The package's class as it is: its published types have a private constructor. */
interface PackageSession {
  session: NativeSession | typeof NO_KICK;
  readonly link_type: string;
}

type PackageSessionClass = new (
  live: boolean,
  device: string,
  filter: string,
  bufferBytes: number,
  snapLength: number,
  outfile: string,
  monitor: boolean,
  bufferTimeoutMs: number,
  promiscuous: boolean,
) => PackageSession;

const PackageSession = pcap.PcapSession as unknown as PackageSessionClass;

/** It warns on the console of interfaces without an IPv4 address, which the private link's end never has. */
(pcap as { warningHandler?: (text: string) => void }).warningHandler = () => undefined;

/** 0: immediate mode, a frame is seen when it arrives, not when a block of them is full. */
const IMMEDIATE = 0;
/** Words of the package's header, in the machine's byte order: seconds, microseconds, captured, length. */
const CAPTURED_WORD = 2;
const LENGTH_WORD = 3;
/** After so long without a wake-up, libuv may have stopped watching. */
const QUIET_MS = 500;
/** What `dispatch` returns when it has freed the session. */
const DISPATCH_FREED = -2;

/** The package reads once by itself after opening, unasked, and would not notice that the session has been freed. */
const NO_KICK = { dispatch: (): number => 0 };

/** Closed but not freed, see above. */
const closing = new Set<Session>();

class Session extends PackageSession {
  /** Frames shown. */
  received = 0;
  readonly #device: string;
  readonly #native: NativeSession;
  readonly #words = new Uint32Array(4);
  readonly #header = Buffer.from(this.#words.buffer);
  #buffer: Buffer = Buffer.alloc(0);
  #receiver: Receiver | undefined;
  #state: 'open' | 'closing' | 'freed' = 'open';
  /** Frames were shown by `poll` since the last wake-up, which may have been theirs. */
  #polled = false;
  /** Of the interface, when the session was opened. */
  readonly #link: string | undefined;
  /** libuv has said something since `#watch` last looked. */
  #awake = true;
  #watch: NodeJS.Timeout | undefined;
  /** Inside `dispatch`, which must not be entered again. */
  #dispatching = false;

  constructor(device: string, options: PcapOptions) {
    const { filter, bufferBytes, snapLength, promiscuous } = options;
    super(true, device, filter, bufferBytes, snapLength, '', false, IMMEDIATE, promiscuous);
    this.#device = device;
    this.#link = linkState(device);
    this.#native = this.session as NativeSession;
    this.#native.read_callback = () => this.#read();
    this.session = NO_KICK;
  }

  /** Without delay after the opening: libuv reports what came in between, but not before this turn has ended. */
  start(receiver: Receiver): void {
    this.#buffer = receiver.buffer;
    this.#receiver = receiver;
    if (this.#link !== undefined) this.#watch = setInterval(() => this.#lookAtLink(), QUIET_MS).unref();
  }

  inject(frame: Buffer): void {
    this.#native.inject(frame);
  }

  /** Shows what is there now. */
  poll(): void {
    if (this.#receiver === undefined) return;
    const before = this.received;
    if (this.#dispatch() < 0) this.#fail('the interface is gone');
    else if (this.received !== before) this.#polled = true;
  }

  stats(): { ps_drop: number } {
    return this.#native.stats();
  }

  /** The package calls it for each frame; the name is the package's. */
  on_packet_ready(): void {
    this.received++;
    this.#receiver?.frame(this.#words[CAPTURED_WORD] ?? 0, this.#words[LENGTH_WORD] ?? 0);
  }

  /** libuv says that there is something to read. */
  #read(): void {
    this.#awake = true;
    const before = this.received;
    const result = this.#dispatch();
    const wasPolled = this.#polled;
    this.#polled = false;
    if (this.received !== before) return;
    if (result < 0) this.#fail('the interface is gone');
    else if (this.#link === undefined ? !wasPolled : linkState(this.#device) !== this.#link) {
      this.#fail('the interface went down');
    }
  }

  /** The error that ends libuv's watching may have come together with frames. */
  #lookAtLink(): void {
    const isQuiet = !this.#awake;
    this.#awake = false;
    if (isQuiet && linkState(this.#device) !== this.#link) this.#fail('the interface went down');
  }

  #fail(why: string): void {
    clearInterval(this.#watch);
    const receiver = this.#receiver;
    this.#receiver = undefined;
    receiver?.failed(new PortError(this.#device, why));
  }

  #dispatch(): number {
    if (this.#state === 'freed' || this.#dispatching) return 0;
    this.#dispatching = true;
    const result = this.#native.dispatch(this.#buffer, this.#header);
    this.#dispatching = false;
    if (result === DISPATCH_FREED) {
      this.#state = 'freed';
      closing.delete(this);
    }
    return result;
  }

  close(): void {
    clearInterval(this.#watch);
    this.#receiver = undefined;
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    closing.add(this);
    this.#native.close();
    this.#dispatch();
  }
}

const IFF_UP = 1;

/**
 * Whether the interface is up, and how often its carrier has changed, which it does when the interface goes down, even if it
 * comes up again at once. `undefined` where /sys does not show this namespace's interfaces.
 */
function linkState(device: string): string | undefined {
  const read = (name: string) => readFileSync(`/sys/class/net/${device}/${name}`, 'utf8').trim();
  try {
    return `${Number(read('flags')) & IFF_UP} ${read('carrier_changes')}`;
  } catch {
    return undefined;
  }
}

export class PcapPort implements PacketPort {
  readonly device: string;
  readonly mtu: number;
  readonly mac: Uint8Array;
  readonly #session: Session;
  readonly #dropped = new GrowingCount();
  #sent = 0;
  #sendFailed = 0;
  #closed = false;

  constructor(device: string, options: PcapOptions) {
    this.device = device;
    this.mtu = options.mtu;
    this.mac = options.mac;
    try {
      this.#session = new Session(device, options);
    } catch (cause) {
      throw new PortError(device, `capture cannot be opened: ${(cause as Error).message}`, { cause });
    }
    if (this.#session.link_type !== 'LINKTYPE_ETHERNET') {
      this.#session.close();
      throw new PortError(device, `is no Ethernet interface (${this.#session.link_type})`);
    }
  }

  start(receiver: Receiver): void {
    this.#session.start(receiver);
  }

  poll(): void {
    this.#session.poll();
  }

  send(frame: Buffer): boolean {
    try {
      this.#session.inject(frame);
      this.#sent++;
      return true;
    } catch {
      // Queue full, frame too big or interface down: the package does not say which. TCP repeats what matters.
      this.#sendFailed++;
      return false;
    }
  }

  stats(): PortStats {
    if (!this.#closed) {
      this.#dropped.update(this.#session.stats().ps_drop);
    }
    return {
      received: this.#session.received,
      dropped: this.#dropped.total,
      sent: this.#sent,
      sendFailed: this.#sendFailed,
    };
  }

  close(): void {
    if (this.#closed) return;
    this.stats();
    this.#closed = true;
    this.#session.close();
  }
}

/** Makes a count that does not wrap from one of 32 bits that is read more often than it wraps. */
class GrowingCount {
  total = 0;
  #last = 0;

  update(count: number): void {
    this.total += (count - this.#last) >>> 0;
    this.#last = count >>> 0;
  }
}
