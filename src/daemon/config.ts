/**
 * The configuration file: TOML to a `Config`, or to an error that names the file, the line, the key, what was found
 * and what was expected.
 *
 * What a single value may be is declared in the tables below; what values must be to each other is checked after
 * that, on a document whose values are all right by themselves. This file asks nothing of the machine: whether the
 * interface exists or the replica listens is for `migware check` and for the start of the daemon.
 */
import { readFileSync } from 'node:fs';
import { SocketAddress, isIP, isIPv4, isIPv6 } from 'node:net';
import { isAbsolute } from 'node:path';
import { TomlError, parse } from 'smol-toml';
import { MigwareError } from '../errors';
import { reasonOf } from '../reason';
import type { Config, ProbeConfig, ServiceConfig } from './contract';
import type { Path, Problem } from './schema';
import {
  duration,
  flag,
  integer,
  list,
  oneOf,
  optional,
  required,
  size,
  sizeText,
  table,
  text,
  variant,
} from './schema';
import { lineOf } from './toml-lines';

/** The configuration cannot be used; the message has one line for each mistake. */
export class ConfigError extends MigwareError {
  readonly code = 'MIGWARE_CONFIG';
}

export const DEFAULT_CONTROL = '/run/migware/control.sock';

/** Capacities of the core, equal to those of assembly/abi/layout.ts (a test compares them). */
export const LIMITS = {
  services: 64,
  ports: 64,
  connections: 1_048_576,
  defaultConnections: 131_072,
  recordPerConnection: 1_073_741_824,
  defaultRecord: 268_435_456,
  defaultRecordPerConnection: 67_108_864,
  defaultComparePerConnection: 65_536,
} as const;

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
/** The core's memory is one 32-bit address space; half of it may be retained bytes. */
const MOST_RETAINED_MB = 2048;
const MOST_RECORDED = 2 * GIB;
/** Of both together; the last quarter is for the records of connections. */
const MOST_KEPT = 3 * GIB;
/** Room for `sockaddr_un.sun_path`, its final zero left out. */
const SOCKET_PATH_BYTES = 107;
/** IFNAMSIZ without its final zero. */
const INTERFACE_NAME_BYTES = 15;

// --- values ---------------------------------------------------------------------------------------------------

const name = text('a name of letters, digits, "-", "_" and "."', (value) =>
  /^[A-Za-z0-9][\w.-]{0,62}$/.test(value) ? value : undefined,
);

const interfaceName = text('the name of a network interface', (value) =>
  value.length <= INTERFACE_NAME_BYTES && /^[^\s/:]+$/.test(value) && value !== '.' && value !== '..'
    ? value
    : undefined,
);

const absolutePath = text('an absolute path', (value) =>
  isAbsolute(value) && !value.includes('\0') ? value : undefined,
);

const socketPath = text(`an absolute path of at most ${SOCKET_PATH_BYTES} bytes`, (value) =>
  isAbsolute(value) && Buffer.byteLength(value) <= SOCKET_PATH_BYTES ? value : undefined,
);

/** An address that one host of a segment can have, in its canonical text. */
const address = text('an IPv4 or IPv6 unicast address of one host, without prefix length or zone', (value) => {
  if (isIPv4(value)) {
    const first = Number(value.split('.')[0]);
    return first === 0 || first === 127 || first >= 224 ? undefined : value;
  }
  if (!isIPv6(value) || value.includes('%')) return undefined;
  const canonical = new SocketAddress({ address: value, family: 'ipv6' }).address;
  // Unspecified, loopback, multicast, link-local (which needs a zone) and IPv4 in IPv6's clothes.
  return /^(::1?$|ff|fe[89ab]|::ffff:)/.test(canonical) ? undefined : canonical;
});

const port = integer(1, 65_535, 'a port');

const endpoint = text('"host:port", such as "127.0.0.1:9464" or "[::1]:9464"', (value) => {
  const [, host6, host4, digits] = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(value) ?? [];
  const number = Number(digits);
  const hostFits = host6 === undefined ? host4 === 'localhost' || isIPv4(host4 ?? '') : isIPv6(host6);
  return hostFits && number >= 1 && number <= 65_535 ? value : undefined;
});

const httpUrl = text('an http:// URL, such as "http://10.0.0.2:8080/health"', (value) =>
  URL.canParse(value) && new URL(value).protocol === 'http:' ? value : undefined,
);

const command = text('a command for /bin/sh', (value) => (value.trim() === '' ? undefined : value));

const recovery = oneOf(['resume', 'replay', 'shadow']);

// --- tables ---------------------------------------------------------------------------------------------------

/** Shorter intervals than 10 ms would measure this host's own scheduling. */
const interval = duration(10, 3_600_000);
const timeout = duration(10, 600_000);
const misses = integer(1, 1000);

const probe = variant('kind', {
  icmp: table({
    interval: optional(interval, 50),
    timeout: optional(timeout, 50),
    misses: optional(misses, 3),
    target: optional(address, undefined),
  }),
  // Each of the others is a connection or a process, which costs the primary more than an echo: hence less often.
  tcp: table({
    interval: optional(interval, 500),
    timeout: optional(timeout, 500),
    misses: optional(misses, 3),
    target: optional(address, undefined),
    port: optional(port, undefined),
  }),
  http: table({
    interval: optional(interval, 1000),
    timeout: optional(timeout, 1000),
    misses: optional(misses, 3),
    url: required(httpUrl),
    statuses: optional(list(integer(100, 599, 'a status code'), 'status codes', 500), undefined),
  }),
  exec: table({
    interval: optional(interval, 2000),
    timeout: optional(timeout, 2000),
    misses: optional(misses, 3),
    command: required(command),
  }),
});

const service = table({
  name: required(name),
  address: required(address),
  ports: required(list(port, 'ports', LIMITS.ports)),
  replica: required(address),
  recovery: optional(recovery, 'resume' as const),
  fallback: optional(oneOf(['reset', 'resume']), undefined),
  on_divergence: optional(oneOf(['continue', 'reset']), undefined),
  fence: optional(command, undefined),
  fence_timeout: optional(duration(100, 600_000), 10_000),
  dead_when: optional(oneOf(['any', 'all']), 'any' as const),
  probe: optional(list(probe, 'probes', 16), undefined),
});

const DEFAULT_RECORD = {
  memory: LIMITS.defaultRecord,
  disk: GIB,
  per_connection: LIMITS.defaultRecordPerConnection,
  compare: LIMITS.defaultComparePerConnection,
};

const record = table({
  memory: optional(size(MIB, MOST_RECORDED), DEFAULT_RECORD.memory),
  disk: optional(size(MIB, 1024 * GIB, { orNone: true }), DEFAULT_RECORD.disk),
  per_connection: optional(size(64 * KIB, LIMITS.recordPerConnection), DEFAULT_RECORD.per_connection),
  compare: optional(size(4 * KIB, LIMITS.recordPerConnection), DEFAULT_RECORD.compare),
});

const document = table({
  interface: required(interfaceName),
  control: optional(socketPath, DEFAULT_CONTROL),
  state_dir: optional(absolutePath, '/var/lib/migware'),
  metrics: optional(endpoint, undefined),
  connections: optional(integer(1, LIMITS.connections), LIMITS.defaultConnections),
  retained_mb: optional(integer(1, MOST_RETAINED_MB), 128),
  retained_per_connection_kb: optional(integer(64, MOST_RETAINED_MB * 1024), undefined),
  record: optional(record, DEFAULT_RECORD),
  capture: optional(table({ buffer_mb: optional(integer(1, 2047), 128), offload: optional(flag, false) }), {
    buffer_mb: 128,
    offload: false,
  }),
  service: required(list(service, '[[service]] tables', LIMITS.services)),
});

type Read<R> = R extends { read(...args: never[]): infer T } ? NonNullable<T> : never;
type Service = Read<typeof service>;
type Document = Read<typeof document>;

// --- reading --------------------------------------------------------------------------------------------------

export function loadConfig(file: string): Config {
  let source: string;
  try {
    source = readFileSync(file, 'utf8');
  } catch (error) {
    throw new ConfigError(`${file}: cannot be read (${reasonOf(error)}); name the file with -c`, { cause: error });
  }
  return parseConfig(source, file);
}

/** @param file where the text comes from, for messages */
export function parseConfig(source: string, file: string): Config {
  let tree: unknown;
  try {
    tree = parse(source);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [summary = ''] = error.message.replace(/^Invalid TOML document: /, '').split('\n');
    throw new ConfigError(`${file}:${error.line}:${error.column}: not TOML: ${summary}`, { cause: error });
  }
  const problems: Problem[] = [];
  const found = document.read(tree, [], problems);
  if (found !== undefined) problems.push(...relations(found), ...meaningless(found), ...tooMuch(found));
  if (found === undefined || problems.length > 0) {
    throw new ConfigError(problemLines(problems, source, file));
  }
  return {
    interface: found.interface,
    control: found.control,
    stateDir: found.state_dir,
    metrics: found.metrics,
    connections: found.connections,
    retainedBytes: found.retained_mb * MIB,
    retainedPerConnectionBytes: perConnectionKb(found) * 1024,
    record: {
      memoryBytes: found.record.memory,
      diskBytes: found.record.disk,
      perConnectionBytes: found.record.per_connection,
      comparePerConnectionBytes: found.record.compare,
    },
    capture: { bufferBytes: found.capture.buffer_mb * MIB, offload: found.capture.offload },
    services: found.service.map(serviceConfig),
  };
}

/** The default fits into every budget. */
function perConnectionKb(found: Document): number {
  return found.retained_per_connection_kb ?? Math.min(8192, found.retained_mb * 1024);
}

function serviceConfig(found: Service): ServiceConfig {
  const probes = found.probe ?? [{ kind: 'icmp' as const, interval: 50, timeout: 50, misses: 3, target: undefined }];
  return {
    name: found.name,
    address: found.address,
    ports: found.ports,
    replica: found.replica,
    recovery: found.recovery,
    fallback: found.fallback,
    onDivergence: found.on_divergence,
    fence: found.fence,
    fenceTimeoutMs: found.fence_timeout,
    probes: probes.map((entry) => probeConfig(entry, found)),
    deadWhen: found.dead_when,
  };
}

function probeConfig(found: Read<typeof probe>, owner: Service): ProbeConfig {
  const common = { intervalMs: found.interval, timeoutMs: found.timeout, misses: found.misses };
  switch (found.kind) {
    case 'icmp':
      return { ...common, kind: 'icmp', target: found.target ?? owner.address };
    case 'tcp': {
      const [firstPort = 0] = owner.ports;
      return { ...common, kind: 'tcp', target: found.target ?? owner.address, port: found.port ?? firstPort };
    }
    case 'http':
      return { ...common, kind: 'http', url: found.url, statuses: found.statuses };
    case 'exec':
      return { ...common, kind: 'exec', command: found.command };
  }
}

// --- what values must be to each other ------------------------------------------------------------------------

function relations(found: Document): Problem[] {
  const problems: Problem[] = [];
  const names = new Uses();
  const primaries = new Uses();
  const replicas = new Uses();
  found.service.forEach((entry, index) => {
    const at: Path = ['service', index];
    const say = (key: Path, line: string) => problems.push({ path: [...at, ...key], text: line });

    const namesake = names.claim(entry.name, index);
    if (namesake !== undefined) say(['name'], `"${entry.name}" is the name of service[${namesake}] already`);

    if (isIP(entry.replica) !== isIP(entry.address)) {
      say(['replica'], `${family(entry.replica)} found, expected ${family(entry.address)} as in address`);
    } else if (entry.replica === entry.address) {
      say(['replica'], 'the service address found, expected another address, where the replica listens');
    }

    const own = new Set<number>();
    entry.ports.forEach((number, position) => {
      const twice = own.has(number);
      own.add(number);
      if (twice) {
        say(['ports', position], `${number} is listed twice`);
        return;
      }
      const served = primaries.claim(`${entry.address} ${number}`, index);
      const replicated = replicas.claim(`${entry.replica} ${number}`, index);
      if (served !== undefined) {
        say(['ports', position], `${entry.address} port ${number} belongs to service[${served}] already`);
      } else if (replicated !== undefined) {
        say(['ports', position], `${entry.replica} port ${number} is the replica of service[${replicated}] already`);
      }
    });
  });
  return problems;
}

/** Capacities that do not go together. */
function tooMuch(found: Document): Problem[] {
  const problems: Problem[] = [];
  if (perConnectionKb(found) > found.retained_mb * 1024) {
    const most = `at most retained_mb, ${found.retained_mb * 1024} KiB`;
    problems.push({
      path: ['retained_per_connection_kb'],
      text: `${perConnectionKb(found)} found, expected ${most}`,
    });
  }
  const left = MOST_KEPT - found.retained_mb * MIB;
  if (found.record.memory > left && found.service.some((entry) => entry.recovery !== 'resume')) {
    const most = `at most ${sizeText(left)} beside retained_mb = ${found.retained_mb}`;
    problems.push({ path: ['record', 'memory'], text: `${sizeText(found.record.memory)} found, expected ${most}` });
  }
  return problems;
}

/** Who was first to use something that only one may use. */
class Uses {
  readonly #owners = new Map<string, number>();

  /** The owner before `index`, if there is one. */
  claim(key: string, index: number): number | undefined {
    const owner = this.#owners.get(key);
    if (owner === undefined) this.#owners.set(key, index);
    return owner;
  }
}

function family(value: string): string {
  return isIPv4(value) ? 'an IPv4 address' : 'an IPv6 address';
}

/** Keys of `replay` and `shadow` that somebody expects something of who resumes. */
const NOT_WITH_RESUME = {
  fallback: 'a connection that is resumed has nothing to fall back from',
  on_divergence: 'what is resumed is not compared',
} as const;

function meaningless(found: Document): Problem[] {
  return found.service.flatMap((entry, index) =>
    (['fallback', 'on_divergence'] as const).flatMap((key) =>
      entry.recovery !== 'resume' || entry[key] === undefined
        ? []
        : [
            {
              path: ['service', index, key],
              text: `only with recovery = "replay" or "shadow": ${NOT_WITH_RESUME[key]}`,
            },
          ],
    ),
  );
}

// --- messages -------------------------------------------------------------------------------------------------

/** In the order of the document; mistakes that have no line, such as missing keys, come first. */
function problemLines(problems: readonly Problem[], source: string, file: string): string {
  return problems
    .map(({ path, text: line }) => ({ number: lineOf(source, path), line: `${pathText(path)}: ${line}` }))
    .sort((a, b) => (a.number ?? 0) - (b.number ?? 0))
    .map(({ number, line }) => `${file}${number === undefined ? '' : `:${number}`}: ${line}`)
    .join('\n');
}

/** `service[0].ports[1]` */
function pathText(path: Path): string {
  return path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`))
    .join('')
    .replace(/^\./, '');
}
