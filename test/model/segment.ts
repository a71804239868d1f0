/** The segments of the model: few different ones, each kept once, so that a state can name them by number. */
import { Port } from '../../assembly/abi/codes';
import { tcpFlags, tcpFrame } from '../support/frames';

export interface Segment {
  readonly id: number;
  readonly syn: boolean;
  readonly fin: boolean;
  readonly rst: boolean;
  readonly seq: number;
  /** undefined: without ACK. */
  readonly ack: number | undefined;
  readonly data: string;
}

export type Sender = 'client' | 'primary' | 'replica';

const CLIENT = { address: '10.0.0.9', port: 40000 } as const;
const PORT = 7000;
export const ADDRESS = { primary: '10.0.0.2', replica: '10.0.0.3' } as const;

const ETHERNET_BYTES = 14;
const [FIN, SYN, RST, ACK] = [tcpFlags('F'), tcpFlags('S'), tcpFlags('R'), tcpFlags('A')] as const;

/** All that have been seen. */
export class Segments {
  private readonly known = new Map<string, Segment>();
  private readonly frames = new Map<string, Uint8Array>();

  of(flags: string, seq: number, ack: number | undefined, data = ''): Segment {
    const key = `${flags} ${seq} ${ack ?? ''} ${data}`;
    let segment = this.known.get(key);
    if (segment === undefined) {
      const [syn, fin, rst] = ['S', 'F', 'R'].map((letter) => flags.includes(letter)) as [boolean, boolean, boolean];
      segment = { id: this.known.size, syn, fin, rst, seq, ack, data };
      this.known.set(key, segment);
    }
    return segment;
  }

  /** The frame with which this sender sends it. */
  frame(sender: Sender, segment: Segment): Uint8Array {
    const key = `${sender} ${segment.id}`;
    let frame = this.frames.get(key);
    if (frame === undefined) {
      const { syn, fin, rst, seq, ack, data } = segment;
      const flags = `${syn ? 'S' : ''}${fin ? 'F' : ''}${rst ? 'R' : ''}${ack === undefined ? '' : 'A'}`;
      frame = tcpFrame({ ...ends(sender), flags, seq, ack: ack ?? 0, payload: data });
      this.frames.set(key, frame);
    }
    return frame;
  }

  /** A frame that the core sends: IPv4 without options, no tags. */
  read(view: DataView, at: number, length: number): Segment {
    const tcp = at + ETHERNET_BYTES + (view.getUint8(at + ETHERNET_BYTES) & 15) * 4;
    const data = tcp + (view.getUint8(tcp + 12) >> 4) * 4;
    const bits = view.getUint8(tcp + 13);
    const flags = `${bits & SYN ? 'S' : ''}${bits & FIN ? 'F' : ''}${bits & RST ? 'R' : ''}`;
    let text = '';
    for (let i = data; i < at + length; i++) text += String.fromCharCode(view.getUint8(i));
    return this.of(flags, view.getUint32(tcp + 4), bits & ACK ? view.getUint32(tcp + 8) : undefined, text);
  }
}

function ends(sender: Sender): { src: string; srcPort: number; dst: string; dstPort: number } {
  if (sender === 'client') {
    return { src: CLIENT.address, srcPort: CLIENT.port, dst: ADDRESS.primary, dstPort: PORT };
  }
  return { src: ADDRESS[sender], srcPort: PORT, dst: CLIENT.address, dstPort: CLIENT.port };
}

export function portOf(sender: Sender): Port {
  return sender === 'replica' ? Port.Stack : Port.Wire;
}

export function describe({ syn, fin, rst, seq, ack, data }: Segment): string {
  const flags = [syn ? 'SYN' : '', fin ? 'FIN' : '', rst ? 'RST' : ''].filter(Boolean).join('+');
  return [flags, `seq ${seq}`, ack === undefined ? '' : `ack ${ack}`, data === '' ? '' : `"${data}"`]
    .filter(Boolean)
    .join(' ');
}
