/** tcpdump on an interface of a host, into a file that can be read at any time. */
import { readFileSync } from 'node:fs';
import type { Host } from '../../src/demo/network';
import type { Program } from '../../src/demo/program';
import type { Frame } from './pcap';
import { parseCapture } from './pcap';

/** SYN, FIN, RST and the sentinel; IPv4 and IPv6. */
export const OPENINGS_AND_ENDS =
  '(tcp[tcpflags] & (tcp-syn|tcp-fin|tcp-rst) != 0) or (ip6[6] = 6 and ip6[53] & 7 != 0) or udp port 9';
/** A datagram to an address that nobody has, by way of a neighbour that need not be asked for. */
const SENTINEL = { address: '192.0.2.9', lladdr: '02:00:00:00:00:09', port: 9 } as const;
const HANG_MS = 30_000;
let sentinels = 0;

export class Capture {
  private constructor(
    private readonly host: Host,
    private readonly tcpdump: Program,
    private readonly file: string,
  ) {}

  /**
   * @param filter of libpcap; must let UDP port 9 through
   * @param more options of tcpdump
   */
  static async start(
    host: Host,
    file: string,
    filter: string,
    device = 'eth0',
    more: readonly string[] = [],
  ): Promise<Capture> {
    const { address, lladdr } = SENTINEL;
    const link = device === 'any' ? 'eth0' : device;
    host.ip(
      `route replace ${address} dev ${link}`,
      `neigh replace ${address} lladdr ${lladdr} dev ${link} nud permanent`,
    );
    const args = [
      '-i',
      device,
      '-n',
      '-U',
      '-s',
      '128',
      '-B',
      '32768',
      '--immediate-mode',
      '-w',
      file,
      ...more,
      filter,
    ];
    const tcpdump = host.start(`tcpdump ${device}`, 'tcpdump', ...args);
    await tcpdump.hears(/listening on/);
    return new Capture(host, tcpdump, file);
  }

  /** All frames that had passed when this was called; of Ethernet. */
  async frames(): Promise<Frame[]> {
    return parseCapture(await this.settled()).filter(({ ip }) => ip?.destination !== SENTINEL.address);
  }

  /** The file with these frames. */
  async settled(): Promise<Buffer> {
    // What was captured before the sentinel is in the file when the sentinel is.
    const token = `sentinel ${++sentinels}.`;
    this.host.run('bash', '-c', `echo '${token}' > /dev/udp/${SENTINEL.address}/${SENTINEL.port}`);
    for (const deadline = Date.now() + HANG_MS; Date.now() < deadline && this.tcpdump.running;) {
      const bytes = readFileSync(this.file);
      if (bytes.includes(token)) return bytes;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    throw new Error(`tcpdump on ${this.host.name} shows no sentinel\n  ${this.tcpdump.said.join('\n  ')}`);
  }
}
