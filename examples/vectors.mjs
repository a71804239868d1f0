/**
 * Whether the core, behind `migware/core`, does what the vectors say: repeats what they say a host did, and compares
 * everything that came of it. The form of the file is described in docs/abi.md. Runs wherever WebAssembly does.
 */
import { FrameExchange, asCode, parseAddress, parseMac, reasonName, statusName } from 'migware/core';

/**
 * @typedef {{ address: string, replica: string, replicaMac: string, ports: number[], flags: number,
 *   handshakeWindow: number, vlan: number, mapFirst: number, mapLast: number }} Service
 * @typedef {{ port: number, connection: number | null, frame: string }} Sent
 * @typedef {{ call: string, args: number[], frame?: string, service?: Service, result?: number, reason?: string,
 *   bytes?: string, sent?: Sent[] }} Step
 * @typedef {{ name: string, steps: Step[], connections: object[], services: object[],
 *   counters: { refused: object, events: object } }} Vector
 * @typedef {{ format: string, version: number, abiVersion: number, vectors: Vector[] }} VectorFile
 * @typedef {{ vector: string, at: string, expected: string, got: string }} Failure
 * @typedef {(capacity: import('migware/core').Capacity, hashKey: Uint32Array) => import('migware/core').Core} Load
 */

/** Of the form of the file. */
const VERSION = 1;

/** What a service's flags say, as docs/abi.md numbers them. */
const FLAG = { remote: 1, echo: 2, replay: 4, shadow: 8, resume: 16, continue: 32, reset: 64 };

/**
 * @param {Load} load a new core
 * @param {VectorFile} file
 */
export function runVectors(load, file) {
  if (file.format !== 'migware-vectors') throw new TypeError('This is no file of vectors.');
  if (file.version !== VERSION) throw new TypeError(`These are vectors of version ${file.version}, not ${VERSION}.`);
  /** @type {Failure[]} */
  const failures = [];
  let calls = 0;
  for (const vector of file.vectors) {
    const player = new Player(load, vector.name, failures);
    for (const step of vector.steps) player.play(step);
    player.finish(vector);
    calls += vector.steps.length;
  }
  return { vectors: file.vectors.length, calls, failures };
}

class Player {
  /** @type {FrameExchange | undefined} */
  #exchange;
  #services = 0;

  /**
   * @param {Load} load
   * @param {string} name of the vector
   * @param {Failure[]} failures
   */
  constructor(load, name, failures) {
    this.load = load;
    this.name = name;
    this.failures = failures;
  }

  get exchange() {
    if (this.#exchange === undefined) throw new TypeError(`${this.name}: begins without init`);
    return this.#exchange;
  }

  /** @param {Step} step */
  play(step) {
    const { call, result } = step;
    /** @type {Partial<Step>} */
    let got;
    try {
      got = this.#call(step);
    } catch (error) {
      // A mistake of a host is an exception here.
      if (!(error instanceof Error && 'code' in error && error.code === 'MIGWARE_CORE')) throw error;
      this.#compare(call, `${call}: ${statusName(result ?? 0)}`, error.message);
      return;
    }
    if (step.reason !== undefined) this.#compare(call, step.reason, got.reason);
    if (step.sent !== undefined) this.#compare(call, step.sent, got.sent);
    if (step.bytes !== undefined) this.#compare(call, step.bytes, got.bytes);
    if (result !== undefined) this.#compare(call, result, got.result ?? 0);
  }

  /**
   * @param {Step} step
   * @returns {Partial<Step>}
   */
  #call({ call, args, frame, service }) {
    const [a = 0, b = 0, c = 0, d = 0] = args;
    if (call === 'init') {
      this.#start(args);
      return { result: 0 };
    }
    const { exchange } = this;
    const { core } = exchange;
    switch (call) {
      case 'setPort':
        core.setPort(asCode(a), b, macOf(c, d), macOf(args[4] ?? 0, args[5] ?? 0));
        return {};
      case 'trackAll':
        core.trackAll(a !== 0);
        return {};
      case 'addService':
        if (service === undefined) throw new TypeError(`${this.name}: addService without a service`);
        this.#services++;
        return { result: core.addService(settingsOf(service)) };
      case 'setQuarantine':
        core.setQuarantine(a, b !== 0);
        return {};
      case 'receive': {
        if (frame === undefined) return { result: core.receive(asCode(a), b, c, d) };
        const { reason, sent } = exchange.receive(asCode(a), bytesOf(frame), d, c);
        return { reason: reasonName(reason), sent: sentOf(sent) };
      }
      case 'tick':
        return { sent: sentOf(exchange.tick(a)) };
      case 'announce':
        return { sent: sentOf(exchange.announce(a, 0)) };
      case 'setServiceState':
        return { sent: sentOf(exchange.setServiceState(a, asCode(b), c)) };
      case 'dismiss':
        return { sent: sentOf(exchange.dismiss(a, b)) };
      case 'exportLive': {
        const { records } = core.exportLive(a);
        return { result: records.length, bytes: hex(records) };
      }
      case 'spill': {
        const result = core.exchange.spill();
        return { result, bytes: hex(core.rx.subarray(0, result)) };
      }
      case 'spillConnection':
        return { result: core.exchange.spilledConnection() };
      case 'spillOffset':
        return { result: core.exchange.spilledOffset() };
      case 'wantedConnection':
        return { result: core.exchange.wanted() };
      case 'wantedFrom':
        return { result: core.exchange.wantedFrom(a) };
      case 'wantedLength':
        return { result: core.exchange.wantedLength(a) };
      case 'supplyWanted':
        return { sent: sentOf(exchange.supply(a, bytesOf(frame ?? ''), c)) };
      case 'importLive':
        return { result: core.importLive(bytesOf(frame ?? ''), b) };
      default:
        throw new TypeError(`${this.name}: unknown call ${call}`);
    }
  }

  /** @param {number[]} args of init */
  #start(args) {
    const [connections = 0, retainedBytes = 0, retainedPerConnectionBytes = 0, ...more] = args;
    const [memoryBytes = 0, perConnectionBytes = 0, comparePerConnectionBytes = 0, ...key] = more;
    const record = { memoryBytes, perConnectionBytes, comparePerConnectionBytes };
    const capacity = { connections, retainedBytes, retainedPerConnectionBytes, record };
    this.#exchange = new FrameExchange(this.load(capacity, Uint32Array.from(key)));
    this.#services = 0;
  }

  /** @param {Vector} vector */
  finish({ connections, services, counters }) {
    const { core } = this.exchange;
    this.#compare('connections', connections, [...core.connections()]);
    this.#compare(
      'services',
      services,
      Array.from({ length: this.#services }, (_, i) => core.service(i)),
    );
    for (const [kind, expected] of /** @type {const} */ ([
      ['refused', counters.refused],
      ['event', counters.events],
    ])) {
      const counted = core.counters().filter((counter) => counter.kind === kind && counter.value > 0n);
      this.#compare(kind, expected, Object.fromEntries(counted.map(({ name, value }) => [name, Number(value)])));
    }
  }

  /**
   * As texts: both sides are plain data, with keys in the same order, and what is undefined is absent.
   * @param {string} at
   * @param {unknown} expected
   * @param {unknown} got
   */
  #compare(at, expected, got) {
    const [a, b] = [JSON.stringify(expected), JSON.stringify(got)];
    if (a !== b) this.failures.push({ vector: this.name, at, expected: a, got: b });
  }
}

/** @param {Service} service */
function settingsOf({ address, replica, replicaMac, flags, ...rest }) {
  const has = (/** @type {number} */ flag) => (flags & flag) !== 0;
  const recovery = has(FLAG.replay) ? 'replay' : has(FLAG.shadow) ? 'shadow' : 'resume';
  return {
    ...rest,
    address: parseAddress(address) ?? new Uint8Array(16),
    replica: parseAddress(replica) ?? new Uint8Array(16),
    replicaMac: has(FLAG.remote) ? parseMac(replicaMac) : undefined,
    echo: has(FLAG.echo),
    recovery: /** @type {'replay' | 'shadow' | 'resume'} */ (recovery),
    fallback: has(FLAG.resume) ? /** @type {const} */ ('resume') : undefined,
    onDivergence: /** @type {'continue' | 'reset' | undefined} */ (
      has(FLAG.continue) ? 'continue' : has(FLAG.reset) ? 'reset' : undefined
    ),
  };
}

/** @param {readonly import('migware/core').SentFrame[]} sent */
function sentOf(sent) {
  return sent.map(({ port, connection, bytes }) => ({ port, connection: connection ?? null, frame: hex(bytes) }));
}

/**
 * @param {number} hi its first two bytes
 * @param {number} lo the other four
 */
function macOf(hi, lo) {
  return Uint8Array.of(hi >>> 8, hi & 255, lo >>> 24, (lo >>> 16) & 255, (lo >>> 8) & 255, lo & 255);
}

/** @param {string} text hexadecimal */
function bytesOf(text) {
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16));
}

/** @param {Uint8Array} bytes */
function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
