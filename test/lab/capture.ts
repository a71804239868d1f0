/** tcpdump on an interface of a host, into a file that can be read at any time. */
import type { Host } from '../../src/demo/network';
import type { Program } from '../../src/demo/program';
import type { Frame } from './pcap';
import { readCapture } from './pcap';

/** SYN, which shows that the capture works, RST, which must not be there, and the sentinel; IPv4 and IPv6. */
export const OPENINGS_AND_RESETS =
  '(tcp[tcpflags] & (tcp-syn|tcp-rst) != 0) or (ip6[6] = 6 and ip6[53] & 6 != 0) or udp port 9';
const SENTINEL_PORT = 9;

export class Capture {
  private constructor(
    private readonly host: Host,
    private readonly tcpdump: Program,
    private readonly file: string,
    private readonly sentinelTarget: string,
  ) {}

  /**
   * @param filter of libpcap; must let UDP port 9 through
   * @param sentinelTarget an address that the host sends to by way of `device`
   */
  static async start(
    host: Host,
    file: string,
    filter: string,
    sentinelTarget: string,
    device = 'eth0',
  ): Promise<Capture> {
    const args = ['-i', device, '-n', '-U', '-s', '200', '-B', '32768', '--immediate-mode', '-w', file, filter];
    // tcpdump writes the file's header once it captures, and says so only on stderr.
    const tcpdump = host.start(`tcpdump ${device}`, 'tcpdump', ...args);
    await tcpdump.hears(/listening on/);
    return new Capture(host, tcpdump, file, sentinelTarget);
  }

  /** Frames so far: all of them that had passed when this was called. */
  async frames(): Promise<Frame[]> {
    const isSentinel = (frame: Frame) => frame.ports?.destination === SENTINEL_PORT;
    const before = readCapture(this.file).filter(isSentinel).length;
    // What was captured before the sentinel is in the file when the sentinel is.
    this.host.run('bash', '-c', `echo sentinel > /dev/udp/${this.sentinelTarget}/${SENTINEL_PORT}`);
    for (;;) {
      const frames = readCapture(this.file);
      if (frames.filter(isSentinel).length > before) return frames.filter((frame) => !isSentinel(frame));
      if (!this.tcpdump.running) throw new Error(`tcpdump on ${this.host.name} ended: ${this.tcpdump.said.join('; ')}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}
