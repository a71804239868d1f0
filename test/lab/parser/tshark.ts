/** What tshark finds in a capture: each of its fields with the bytes that it was read from. */
import { execFileSync } from 'node:child_process';

/** A field or a layer of one frame; `pos` and `size` are bytes of the frame. */
export interface Element {
  readonly name: string;
  readonly pos: number;
  readonly size: number;
  /** The value as tshark prints it; of a layer its title. */
  readonly show: string;
}

/** Every segment by itself, and checksums looked at. */
const PREFERENCES = [
  'tcp.relative_sequence_numbers:FALSE',
  'tcp.analyze_sequence_numbers:FALSE',
  'tcp.desegment_tcp_streams:FALSE',
  'ip.defragment:FALSE',
  'ipv6.defragment:FALSE',
  'ip.check_checksum:TRUE',
  'tcp.check_checksum:TRUE',
];

export function dissect(capture: string): Dissected[] {
  const options = PREFERENCES.flatMap((preference) => ['-o', preference]);
  // What TCP carries is of no interest: the ports of the frames are anybody's.
  const xml = execFileSync(
    'tshark',
    ['-r', capture, ...options, '-T', 'pdml', '-J', 'eth vlan ieee8021ad arp ip ipv6 tcp icmp icmpv6'],
    {
      encoding: 'utf8',
      maxBuffer: 1 << 30,
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  return xml
    .split('<packet>')
    .slice(1)
    .map((packet) => new Dissected(elementsOf(packet)));
}

function elementsOf(packet: string): Element[] {
  return [...packet.matchAll(/<(?:field|proto) ([^>]*?)\/?>/g)].map(([, attributes = '']) => {
    const of = (name: string): string => new RegExp(`(?:^| )${name}="([^"]*)"`).exec(attributes)?.[1] ?? '';
    return { name: of('name'), pos: Number(of('pos')), size: Number(of('size')), show: of('show') || of('showname') };
  });
}

/** One frame. */
export class Dissected {
  constructor(private readonly elements: readonly Element[]) {}

  all(name: string): Element[] {
    return this.elements.filter((element) => element.name === name);
  }

  /** From this byte of the frame on, or before it. */
  within(from: number, to = Infinity): Dissected {
    return new Dissected(this.elements.filter(({ pos }) => pos >= from && pos < to));
  }

  find(name: string): Element | undefined {
    return this.elements.find((element) => element.name === name);
  }

  has(name: string): boolean {
    return this.find(name) !== undefined;
  }

  /** The last of this name. */
  last(name: string): Element | undefined {
    return this.all(name).at(-1);
  }

  /** A number, however tshark prints it; undefined when the frame has no such field. */
  number(name: string): number | undefined {
    const element = this.find(name);
    return element === undefined ? undefined : Number(element.show);
  }

  says(pattern: RegExp): boolean {
    return this.elements.some(({ show }) => pattern.test(show));
  }
}
