/** The observer of the demo: captures on the clients' host, so that it sees what reaches them, and what does not. */
import { PcapPort } from '../sniffer/pcap-port';
import { obey, say } from './part';
import type { Message } from './program';
import type { Server, WireReport } from './wire';
import { WireWatch } from './wire';

export interface ObserverOptions {
  readonly device: string;
  /** The service's port. */
  readonly port: number;
  readonly primaryMac: string;
  readonly replicaMac: string;
}

/** So many acknowledgements in a row show that a connection works. Arbitrary. */
const STEADY = 10;

/** Connections that a server has acknowledged something of: once, and often enough to call it steady. */
export interface Served extends Message {
  readonly server: Server;
  readonly connections: number;
  readonly steady: number;
}

export interface ObserverReport extends Message {
  readonly wire: WireReport;
  /** Frames that nobody has seen. */
  readonly dropped: number;
}

/** Link, IP and TCP headers with all their options: payloads are the services' to keep. */
const SNAP_BYTES = 134;
const BUFFER_BYTES = 32 << 20;

export async function runObserver({ device, port, primaryMac, replicaMac }: ObserverOptions): Promise<void> {
  const served = { primary: { connections: 0, steady: 0 }, replica: { connections: 0, steady: 0 } };
  const watch = new WireWatch({
    primaryMac,
    replicaMac,
    port,
    onProgress: (server, times) => {
      if (times === 1) served[server].connections++;
      else if (times === STEADY) served[server].steady++;
      else return;
      const message: Served = { event: 'served', server, ...served[server] };
      say(message);
    },
  });
  const capture = new PcapPort(device, {
    filter: `tcp port ${port}`,
    bufferBytes: BUFFER_BYTES,
    snapLength: SNAP_BYTES,
    promiscuous: false,
    // Only who sends needs these.
    mtu: 0,
    mac: new Uint8Array(6),
  });
  const buffer = Buffer.alloc(SNAP_BYTES);
  let failure: Error | undefined;
  /** When this turn of the event loop began to read: how long the frames it found had been there is unknown. */
  let turnMs: number | undefined;
  const now = (): number => {
    if (turnMs === undefined) setImmediate(() => (turnMs = undefined));
    return (turnMs ??= performance.now());
  };
  capture.start({
    buffer,
    frame: (length) => watch.frame(buffer.subarray(0, length), now()),
    failed: (error) => (failure = error),
  });
  say({ event: 'observing' });
  await obey({
    report: () => {
      if (failure !== undefined) throw failure;
      capture.poll();
      const report: ObserverReport = {
        event: 'report',
        wire: watch.report(performance.now()),
        dropped: capture.stats().dropped,
      };
      say(report);
    },
  });
  capture.close();
}
