/** What either side has to say in a setting, element by element: bytes, and a FIN where it closes. */
import type { Surroundings } from './network';
import type { Segment } from './segment';
import type { Setting } from './setting';

/** Stands for the FIN in a stream. */
export const FIN = '.';
/** From the primary's bytes to the replica's, where they are to differ: capitals to small ones. */
const REPLICA_SHIFT = 32;

export function elementsOf({ data, fin }: Segment): string[] {
  return (fin ? data + FIN : data).split('');
}

export function lengthOf({ data, fin }: Segment): number {
  return data.length + (fin ? 1 : 0);
}

/** Where a sequence number lies in the stream whose SYN had the number `isn`. */
export function place(seq: number, isn: number): number {
  return (seq - isn - 1) | 0;
}

export function say(element: string | undefined): string {
  return element === undefined ? 'nothing' : element === FIN ? 'the FIN' : `"${element}"`;
}

export class Streams {
  readonly client: string;
  readonly server: string;

  constructor(private readonly setting: Setting) {
    const end = setting.close ? FIN : '';
    this.client = 'abcdefgh'.slice(0, setting.clientBytes) + end;
    this.server = 'ABCDEFGH'.slice(0, setting.serverBytes) + end;
  }

  get isCopied(): boolean {
    return this.setting.policy !== 'resume';
  }

  /** With resume, the replica's stream begins where the primary's ended. */
  serverTotal(a: Surroundings): number {
    const own = this.server.length;
    if (this.isCopied || !a.isDead || this.hasPrimaryClosed(a)) return own;
    return a.primarySent + own;
  }

  hasPrimaryClosed(a: Surroundings): boolean {
    return this.setting.close && a.primarySent === this.server.length;
  }

  /** What the client has to find at this place, undefined when nobody has sent it. */
  serverElement(a: Surroundings, i: number): string | undefined {
    if (this.isCopied) return i < Math.max(a.primarySent, a.replica.next) ? this.server[i] : undefined;
    if (!a.isDead || i < a.primarySent) return i < a.primarySent ? this.server[i] : undefined;
    const own = i - a.primarySent;
    return own < a.replica.next && !this.hasPrimaryClosed(a) ? this.ofReplica(own) : undefined;
  }

  /** The replica's bytes are told apart from the primary's when they are other bytes. */
  ofReplica(i: number): string {
    const element = this.server[i] ?? '';
    return this.isCopied || element === FIN ? element : String.fromCharCode(element.charCodeAt(0) + REPLICA_SHIFT);
  }
}
