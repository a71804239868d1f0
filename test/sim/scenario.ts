/** A scenario: everything that a run depends on, drawn from one seed. */
import type { Tag } from '../support/frames';
import type { Conversation } from './conversation';
import type { TcpSettings } from './endpoint';
import type { Faults } from './hub';
import { Random } from './random';

export interface Scenario {
  readonly seed: number;
  readonly build: 'debug' | 'release';
  readonly ipv6: boolean;
  readonly tags: readonly Tag[];
  readonly remoteReplica: boolean;
  readonly conversations: readonly Conversation[];
  /** One client host for each conversation. */
  readonly clients: readonly TcpSettings[];
  readonly primary: TcpSettings;
  readonly replica: TcpSettings;
  /** Of the ways to client and server hosts. */
  readonly faults: Faults;
  readonly tap: Faults;
  /** Neighbouring segments may reach the core as one. */
  readonly merging: boolean;
  readonly crash: Crash;
  /** When the daemon starts to watch, ms. */
  readonly watchMs: number;
  /** listen(2) backlog of the replica, how long it takes to accept one, and how many handshakes it is given at a time. */
  readonly backlog: number;
  readonly acceptMs: number;
  readonly handshakeWindow: number;
  readonly retainedBytes: number;
  readonly retainedPerConnection: number;
  /** The core's millisecond clock at the start. */
  readonly clockBase: number;
  readonly recovery: Recovery;
}

/** Which state the replica is given, and what there is for it. */
export interface Recovery {
  readonly policy: 'resume' | 'replay' | 'shadow';
  /** A connection that cannot be replayed is resumed; otherwise it is reset. */
  readonly fallbackResume: boolean;
  readonly recordBytes: number;
  readonly recordPerConnection: number;
  readonly comparePerConnection: number;
  /** Whether the host has a file for what outgrows the memory. */
  readonly disk: boolean;
  /** How fast the replica writes, if not as the primary does. */
  readonly replicaPace: { readonly chunk: number; readonly everyMs: number } | undefined;
}

const RESUME: Recovery = {
  policy: 'resume',
  fallbackResume: false,
  recordBytes: 0,
  recordPerConnection: 0,
  comparePerConnection: 0,
  disk: false,
  replicaPace: undefined,
};

export interface Crash {
  readonly atMs: number;
  /** From the crash to the fail-over, ms. */
  readonly detectMs: number;
  /**
   * cut: silence. reset, fin: under suspicion, the primary resets or closes its connections with its last breath, and
   * only the tap hears it. never: the primary lives.
   */
  readonly kind: 'cut' | 'reset' | 'fin' | 'never';
}

const REFUSED_SERVICE = 0.1;

export function drawScenario(seed: number): Scenario {
  const random = new Random(seed);
  const shape = random.fork();
  const hosts = random.fork();
  const net = random.fork();
  const crash = drawCrash(random.fork());
  const ipv6 = shape.chance(0.25);
  const mssLimit = ipv6 ? 1440 : 1460;
  const many = shape.chance(0.15);
  const count = many ? shape.int(15, 40) : shape.int(1, 6);
  const watchMs = shape.chance(0.1) ? shape.real(0, crash.atMs) : 0;
  const guessable = watchMs > 0 && shape.chance(0.7);
  const draw = (): TcpSettings => {
    const drawn = drawTcp(hosts, mssLimit);
    return guessable ? { ...drawn, windowShift: 7, receiveBuffer: Math.max(drawn.receiveBuffer, 65535) } : drawn;
  };
  const small = shape.chance(0.1);
  return {
    seed,
    build: shape.chance(0.3) ? 'debug' : 'release',
    ipv6,
    tags: drawTags(shape),
    remoteReplica: shape.chance(0.2),
    conversations: Array.from({ length: count }, (_, i) => drawConversation(random.fork(), i, crash, many)),
    clients: Array.from({ length: count }, draw),
    primary: draw(),
    replica: drawTcp(hosts, mssLimit),
    faults: drawFaults(net),
    tap: {
      loss: net.chance(0.1) ? 0.02 : 0,
      duplicate: net.chance(0.1) ? 0.02 : 0,
      reorder: 0,
      delayMs: [0.005, 0.005],
    },
    merging: net.chance(0.3),
    crash,
    watchMs,
    backlog: shape.chance(0.2) ? shape.int(0, 4) : 128,
    acceptMs: shape.chance(0.2) ? shape.real(0.5, 20) : 0.02,
    handshakeWindow: shape.pick([1, 4, 64]),
    retainedBytes: small ? shape.pick([0, 8192, 32768]) : 8 << 20,
    retainedPerConnection: small || shape.chance(0.05) ? shape.pick([1000, 16384]) : 1 << 20,
    clockBase: shape.chance(0.3) ? (0x1_0000_0000 - shape.int(0, 3000)) >>> 0 : shape.u32(),
    recovery: RESUME,
  };
}

/** The same for a replica that is given the client's stream from its first byte. */
export function drawCopyScenario(seed: number): Scenario {
  const scenario = drawScenario(seed);
  const random = new Random(seed ^ 0xc0b1);
  const policy = random.pick(['replay', 'shadow'] as const);
  const small = random.chance(0.15);
  return {
    ...scenario,
    // Beside the primary a replica reads along on this host only.
    remoteReplica: scenario.remoteReplica && policy === 'replay',
    recovery: {
      policy,
      fallbackResume: random.chance(0.3),
      recordBytes: small ? random.pick([0, 16384, 131072]) : 8 << 20,
      recordPerConnection: small || random.chance(0.05) ? random.pick([1000, 20_000]) : 4 << 20,
      comparePerConnection: random.pick([0, 3000, 65536]),
      disk: random.chance(0.5),
      replicaPace: random.chance(0.4)
        ? { chunk: random.pick([100, 1460, 5000]), everyMs: random.pick([0, 1, 5, 20]) }
        : undefined,
    },
  };
}

function drawCrash(random: Random): Crash {
  return {
    atMs: random.real(20, 600),
    detectMs: random.pick([1, 20, 150, 150, 1000]),
    kind: random.pick(['cut', 'cut', 'cut', 'reset', 'fin']),
  };
}

function drawTags(random: Random): Tag[] {
  const kind = random.int(0, 9);
  if (kind > 2) return [];
  const tag = { vid: random.int(1, 4094), priority: random.int(0, 7) };
  return kind > 0 ? [tag] : [{ ...tag, tpid: 0x88a8 }, { vid: random.int(1, 4094) }];
}

function drawTcp(random: Random, mssLimit: number): TcpSettings {
  const receiveBuffer = random.pick([3000, 16384, 65535, 200_000, 1_000_000, 50_000_000]);
  // A unit of the window is never more than a fraction of the buffer, or no window could be told.
  const coarsest = Math.min(14, Math.floor(Math.log2(receiveBuffer / 750)));
  return {
    mss: random.chance(0.5) ? mssLimit : random.int(536, mssLimit),
    windowShift: random.chance(0.15) ? undefined : random.int(0, coarsest),
    sack: random.chance(0.75),
    timestamps: random.chance(0.75)
      ? { base: random.chance(0.3) ? 0xffffff00 : random.u32(), perMs: random.pick([1, 1, 1, 0.25, 1000]) }
      : undefined,
    strictTimestamps: random.chance(0.3),
    receiveBuffer,
    delayedAck: random.chance(0.8),
    probe: random.pick(['empty', 'byte']),
    retries: 15,
  };
}

function drawFaults(random: Random): Faults {
  const most = random.pick([0.05, 0.5, 5, 20]);
  return {
    loss: random.pick([0, 0, 0.01, 0.05]),
    duplicate: random.pick([0, 0, 0.01]),
    reorder: random.pick([0, 0, 0.02, 0.1]),
    delayMs: [most / 5, most],
  };
}

/** An amount of data: from nothing to several windows, most often little. */
function drawBytes(random: Random, many: boolean): number {
  return random.pick([
    0,
    random.int(1, 100),
    random.int(1, 3000),
    random.int(3000, 30_000),
    many ? 50 : random.int(30_000, 150_000),
  ]);
}

function drawConversation(random: Random, id: number, crash: Crash, many: boolean): Conversation {
  const common = {
    id,
    clientPort: 40000 + id,
    service: random.chance(REFUSED_SERVICE) ? 1 : 0,
    startMs: random.chance(0.85) ? random.real(0, crash.atMs) : random.real(crash.atMs, crash.atMs + 2000),
    closer: random.pick(['client', 'server', 'both'] as const),
    holdUntilMs: random.chance(0.4) ? crash.atMs + random.real(500, 4000) : 0,
    chunk: random.pick([100, 1460, 5000]),
    everyMs: random.pick([0, 1, 5, 20]),
    clientPause: drawPause(random, crash),
    serverPause: drawPause(random, crash),
  };
  if (random.chance(0.4)) {
    const request = random.int(1, 1000);
    const response = random.int(1, 4000);
    const rounds = random.int(1, many ? 3 : 30);
    return { ...common, up: rounds * request, down: rounds * response, exchange: { request, response } };
  }
  return { ...common, up: 1 + drawBytes(random, many), down: drawBytes(random, many), exchange: undefined };
}

function drawPause(random: Random, crash: Crash): readonly [number, number] {
  if (random.chance(0.8)) return [0, 0];
  const from = random.real(0, crash.atMs + 500);
  return [from, from + random.real(10, 2000)];
}
