/** The clients of the demo: each pushes one line after the other. Plain sockets; they know nothing of migware. */
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { codeOf } from '../reason';
import { line } from './numbers';
import { obey, say } from './part';
import type { Message } from './program';

export interface Connected extends Message {
  readonly connections: number;
}

/** A connection as its client saw it. */
export interface ClientConnection {
  /** `address:port` of the client. */
  readonly local: string;
  /** Lines it wrote. */
  readonly lines: number;
  /** What it noticed, or empty: the code of an error, or that its connection did not end as it should. */
  readonly error: string;
}

export interface ClientReport extends Message {
  readonly connections: readonly ClientConnection[];
}

export interface ClientOptions {
  readonly address: string;
  readonly port: number;
  readonly connections: number;
  /** Between two lines of a connection, ms. */
  readonly interval: number;
}

/** How often is looked whether a line is due; several are written at a time when there are more. */
const TICK_MS = 5;
/** What is left when the last line is written takes one round trip. Arbitrary: none that still comes is cut off. */
const FINISH_MS = 10_000;

class Client {
  lines = 0;
  private error = '';
  private finishing = false;
  private readonly local: string;
  private readonly closed: Promise<unknown>;

  constructor(
    private readonly number: number,
    private readonly socket: Socket,
  ) {
    this.local = `${socket.localAddress ?? ''}:${socket.localPort ?? 0}`;
    socket.on('error', (error) => (this.error ||= codeOf(error) ?? error.message));
    socket.on('end', () => {
      if (!this.finishing) this.error ||= 'closed by the service';
    });
    // Without a reader the end of the service's stream would never be seen.
    socket.resume();
    this.closed = new Promise((resolve) => socket.once('close', resolve));
  }

  push(): void {
    if (this.error === '') this.socket.write(line(this.number, this.lines++), 'latin1');
  }

  async finish(patience: Promise<unknown>): Promise<ClientConnection> {
    this.finishing = true;
    this.socket.end();
    const isLate = await Promise.race([this.closed.then(() => false), patience.then(() => true)]);
    if (isLate) this.error ||= 'did not come to its end';
    return { local: this.local, lines: this.lines, error: this.error };
  }
}

export async function runClient({ address, port, connections, interval }: ClientOptions): Promise<void> {
  const clients: Client[] = [];
  let timer: NodeJS.Timeout | undefined;
  const obeying = obey({
    push: () => (timer = startPushing(clients, interval)),
    finish: () => {
      clearInterval(timer);
      void finish(clients);
    },
  });
  for (let number = 0; number < connections; number++) {
    // Lines leave one by one, as numbers that somebody waits for do.
    const socket = connect({ host: address, port, noDelay: true });
    await once(socket, 'connect');
    clients.push(new Client(number, socket));
    const connected: Connected = { event: 'connected', connections: clients.length };
    say(connected);
  }
  await obeying;
}

/** One client after the other, evenly over the interval. */
function startPushing(clients: readonly Client[], interval: number): NodeJS.Timeout {
  const start = performance.now();
  let pushed = 0;
  return setInterval(() => {
    const due = ((performance.now() - start) * clients.length) / interval;
    for (; pushed < due; pushed++) clients[pushed % clients.length]?.push();
  }, TICK_MS);
}

async function finish(clients: readonly Client[]): Promise<void> {
  const patience = new Promise((resolve) => setTimeout(resolve, FINISH_MS));
  const report: ClientReport = {
    event: 'finished',
    connections: await Promise.all(clients.map((client) => client.finish(patience))),
  };
  say(report);
}
