/** The primary: does it answer its probes, and is its traffic seen? */
import type { Config, ProbeConfig, ServiceConfig } from '../../daemon/contract';
import { MigwareError } from '../../errors';
import { systemProbe } from '../../monitor/monitor';
import type { Outcome } from '../../monitor/probe';
import { count, duration } from '../../report/text';
import { PcapPort } from '../../sniffer/pcap-port';
import { readInterface } from '../../takeover/discover';
import { fail, failElsewhere, ok, warn } from './finding';
import type { Finding } from './finding';

/** The first answer may have to wait for ARP or ND. */
const ATTEMPTS = 3;

export async function* primaries(config: Config): AsyncIterable<Finding> {
  for (const service of config.services) {
    for (const probe of service.probes) yield await askPrimary(probe, service, config.interface);
  }
}

async function askPrimary(config: ProbeConfig, service: ServiceConfig, device: string): Promise<Finding> {
  const check = `primary of ${service.name}`;
  try {
    const probe = systemProbe(config, service, device);
    const label = `${probe.kind} ${probe.target}`;
    try {
      let outcome: Outcome = { kind: 'miss', why: 'not asked' };
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        const startMs = performance.now();
        outcome = await settled(probe, config.timeoutMs);
        const rttMs = performance.now() - startMs;
        if (outcome.kind === 'answer') return ok(check, `${label}: answered in ${duration(rttMs)}`);
      }
      if (outcome.kind === 'void') return fail(check, `${label}: cannot be asked: ${outcome.why}`, 'correct the probe');
      return failElsewhere(
        check,
        `${label}: ${outcome.why} (${ATTEMPTS} times)`,
        'start the primary, or correct the probe: without an answer nobody can tell when it dies',
      );
    } finally {
      probe.close();
    }
  } catch (error) {
    if (!(error instanceof MigwareError)) throw error;
    return fail(check, error.message, 'see privileges and interface');
  }
}

function settled(probe: ReturnType<typeof systemProbe>, timeoutMs: number): Promise<Outcome> {
  return new Promise((settle) => {
    const timer = setTimeout(() => {
      giveUp();
      settle({ kind: 'miss', why: `no answer in ${duration(timeoutMs)}` });
    }, timeoutMs);
    const giveUp = probe.begin((outcome) => {
      clearTimeout(timer);
      settle(outcome);
    });
  });
}

const LISTEN_MS = 2000;
/** A few seconds of nothing but headers. */
const RING_BYTES = 4 * 1024 * 1024;
const HEADER_BYTES = 128;

/**
 * Whether the connections of the primary can be seen here: frames between it and others, in both directions. What it
 * says to this host proves nothing, since a switch delivers that in any case.
 */
export async function* tap({ interface: device, services }: Config): AsyncIterable<Finding> {
  let mac: string;
  let mtu: number;
  try {
    ({ mac, mtu } = await readInterface(device));
    const seen = await Promise.all(
      services.map(async ({ address, ports }) => {
        const tcp = `tcp and (${ports.map((port) => `port ${port}`).join(' or ')}) and not ether host ${mac}`;
        const [fromPrimary, toPrimary] = await Promise.all(
          ['src', 'dst'].map((end) => countFrames(device, mac, mtu, tagged(`${end} host ${address} and ${tcp}`))),
        );
        return { fromPrimary, toPrimary };
      }),
    );
    for (const [index, { name, address }] of services.entries()) {
      yield tapFinding(`tap of ${name}`, address, device, seen[index]?.fromPrimary ?? 0, seen[index]?.toPrimary ?? 0);
    }
  } catch (error) {
    if (!(error instanceof MigwareError)) throw error;
    yield fail(`tap on ${device}`, error.message, 'see privileges and interface');
  }
}

function tapFinding(check: string, address: string, device: string, from: number, to: number): Finding {
  const seconds = `${LISTEN_MS / 1000} s`;
  const mirror = `mirror both directions of its switch port to the port of ${device}, or share a hub`;
  if (from > 0 && to > 0) {
    return ok(check, `${count(from)} frames from and ${count(to)} to ${address} seen on ${device} in ${seconds}`);
  }
  if (from > 0 || to > 0) {
    return warn(
      check,
      `in ${seconds}, only frames ${from > 0 ? 'from' : 'to'} ${address} were seen on ${device}`,
      mirror,
    );
  }
  return warn(
    check,
    `no traffic between ${address} and its clients was seen on ${device} in ${seconds}`,
    `fine if it has no clients now; if it has: ${mirror}`,
  );
}

/** The same with up to two VLAN tags before it; each \`vlan\` moves what follows it one tag further. */
function tagged(filter: string): string {
  return `(${filter}) or (vlan and ((${filter}) or (vlan and (${filter}))))`;
}

async function countFrames(device: string, mac: string, mtu: number, filter: string): Promise<number> {
  const port = new PcapPort(device, {
    filter,
    bufferBytes: RING_BYTES,
    snapLength: HEADER_BYTES,
    promiscuous: true,
    mtu,
    mac: Buffer.from(mac.replaceAll(':', ''), 'hex'),
  });
  try {
    await new Promise<void>((heard, failed) => {
      port.start({ buffer: Buffer.alloc(HEADER_BYTES), frame() {}, failed });
      setTimeout(heard, LISTEN_MS);
    });
    return port.stats().received;
  } finally {
    port.close();
  }
}
