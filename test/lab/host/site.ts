/** A backup with its agent, and a client, on a hub: what the tests of the host's network start from. */
import type { ExecutionContext } from 'ava';
import { type Host, Network } from '../../../src/demo/network';
import type { Message, Program } from '../../../src/demo/program';
import type { StackLink } from '../../../src/takeover/stack-link';
import { bundle } from '../../support/bundle';
import { type Segment, parseSegment } from './segment';

export const SERVICE_PORT = 7000;
export const CLOSED_PORT = 7999;

export interface Addresses {
  readonly service: string;
  readonly replica: string;
  /** On the segment. */
  readonly client: string;
  /** Somewhere else: the backup has no route to it. */
  readonly stranger: string;
}

export const ADDRESSES: Readonly<Record<4 | 6, Addresses>> = {
  4: { service: '10.77.0.2', replica: '10.77.0.3', client: '10.77.0.9', stranger: '203.0.113.5' },
  6: { service: 'fd77::2', replica: 'fd77::3', client: 'fd77::9', stranger: '2001:db8::5' },
};

export interface SetupMessage extends Message {
  readonly stack?: StackLink;
  readonly changes: readonly { readonly kind: string }[];
}

export interface Site {
  readonly network: Network;
  readonly backup: Host;
  readonly client: Host;
  /** Starts another process of the agent on the backup. */
  readonly startAgent: () => Promise<Agent>;
}

/** Makes a site for one test; it is gone when the test ends, however it ends. */
export async function openSite(t: ExecutionContext): Promise<Site> {
  const program = await bundle('test/lab/host/agent.ts');
  const network = new Network();
  t.teardown(network.close);
  const segment = network.hub();
  const backup = network.host('backup');
  const client = network.host('client');
  segment.plug(backup, [`${ADDRESSES[4].replica}/24`, `${ADDRESSES[6].replica}/64`]);
  segment.plug(client, [`${ADDRESSES[4].client}/24`, `${ADDRESSES[6].client}/64`]);
  return {
    network,
    backup,
    client,
    startAgent: async () => {
      const agent = backup.start('agent', process.execPath, program);
      await agent.next('ready');
      return new Agent(agent);
    },
  };
}

interface FramesMessage extends Message {
  readonly frames: readonly { readonly device: string; readonly hex: string }[];
  readonly failures: readonly string[];
}

interface HeardMessage extends Message {
  readonly heard: Readonly<Record<string, string>>;
}

export class Agent {
  /** Segments the agent's ports have shown, oldest first, as far as was asked. */
  readonly segments: Segment[] = [];
  /** Frames seen, segments or not. */
  private seen = 0;

  constructor(readonly program: Program) {}

  async ask<M extends Message>(command: string): Promise<M> {
    const answer = await this.program.ask<M & { error?: string }>(command);
    if (answer.error !== undefined) throw new Error(`${command}: ${answer.error}`);
    return answer;
  }

  /** Everything the daemon would set up, with a replica on this host in both families. */
  async setUp(stateDir: string, offloads: 'keep' | 'off' = 'keep'): Promise<StackLink> {
    const services = `${ADDRESSES[4].service},${ADDRESSES[6].service}`;
    const replicas = `${ADDRESSES[4].replica},${ADDRESSES[6].replica}`;
    const { stack } = await this.ask<SetupMessage>(`setup ${stateDir} ${services} ${replicas} ${offloads}`);
    if (stack === undefined) throw new Error('no private link was made');
    return stack;
  }

  async inject(device: string, frame: Uint8Array): Promise<void> {
    await this.ask(`inject ${device} ${Buffer.from(frame).toString('hex')}`);
  }

  /** Waits for a segment that is as wanted and was not there when `segments` had `from` of them. */
  async segment(what: string, from: number, isWanted: (segment: Segment) => boolean): Promise<Segment> {
    const found = () => this.segments.slice(from).find(isWanted);
    for (const deadline = Date.now() + HANG_MS; Date.now() < deadline;) {
      await this.look();
      const segment = found();
      if (segment !== undefined) return segment;
    }
    throw new Error(`${what} did not come; seen: ${JSON.stringify(this.segments.slice(from))}`);
  }

  /** Reads what the ports have shown since. */
  async look(): Promise<void> {
    const { frames } = await this.ask<FramesMessage>(`frames ${this.seen}`);
    this.seen += frames.length;
    for (const { device, hex } of frames) {
      const segment = parseSegment(device, hex);
      if (segment !== undefined) this.segments.push(segment);
    }
  }

  /** Why ports have failed so far. */
  async failures(): Promise<readonly string[]> {
    return (await this.ask<FramesMessage>(`frames ${this.seen}`)).failures;
  }

  /** Waits until the service has read this from a connection. */
  async hears(id: string, text: string): Promise<void> {
    const isRead = ({ heard }: HeardMessage) => heard[id]?.includes(text) ?? false;
    await this.program.until<HeardMessage>('heard', `"${text}" from ${id}`, isRead);
  }
}

/** How long a wait may last before it is called a hang. No result depends on it. */
const HANG_MS = 20_000;
