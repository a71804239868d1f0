/** The guard on a Linux host, from its start to the signal that stops it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseMac } from '../core/address';
import type { Config, Logger } from '../daemon/contract';
import { EnvironmentError } from '../errors';
import { PcapPort } from '../sniffer/pcap-port';
import { run } from '../takeover/command';
import { canonicalAddress, readInterface, readLocalAddresses } from '../takeover/discover';
import { Journal } from '../takeover/journal';
import { Guard, type GuardClock } from './guard';
import { NEIGHBOUR_FILTER } from './neighbour';
import { Silence } from './silence';

/** Arbitrary: thousands of ARP frames. */
const BUFFER_BYTES = 2 * 1024 * 1024;
const SNAP_BYTES = 256;
const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

const clock: GuardClock = {
  now: () => performance.now(),
  at(atMs, callback) {
    const timer = setTimeout(callback, Math.max(0, atMs - performance.now()));
    return () => clearTimeout(timer);
  },
};

export interface GuardOptions {
  /** Interface on which this host has the addresses. */
  readonly device: string;
  /** It has them now, and serves. */
  readonly isServing: boolean;
}

/**
 * Guards until SIGTERM or SIGINT, then gives the host its voice back.
 * @throws EnvironmentError when the host cannot be silenced
 */
export async function runGuard(config: Config, { device, isServing }: GuardOptions, log: Logger): Promise<void> {
  let stop: () => void = () => undefined;
  const asked = new Promise<void>((resolve) => (stop = resolve));
  for (const signal of SIGNALS) process.on(signal, stop);

  // A directory of its own: the host may be the backup of another one, with a daemon.
  const stateDir = join(config.stateDir, 'guard');
  const journal = await Journal.open(stateDir);
  const silence = new Silence(journal, stateDir);
  const guard = new Guard({
    services: config.services,
    isServing,
    clock,
    openPort: () => openPort(device),
    carrier: () => readCarrier(device),
    block: (services) => silence.block(services),
    isLocal: async (address) => (await readLocalAddresses()).has(canonicalAddress(address)),
    log,
  });
  try {
    await guard.start();
    log.info({ interface: device, addresses: config.services.map(({ address }) => address) }, 'guarding');
    await tellServiceManager();
    await asked;
    log.info({}, 'stopping');
  } finally {
    await guard.close();
    for (const { error } of await journal.undo()) log.error({ reason: String(error) }, 'a change was not undone');
    await journal.close();
  }
}

async function openPort(device: string): Promise<PcapPort> {
  const { mac, mtu, up } = await readInterface(device);
  if (!up) throw new EnvironmentError(`interface ${device} is down`);
  const bytes = parseMac(mac);
  if (bytes === undefined) throw new EnvironmentError(`interface ${device} has no MAC address`);
  const capture = { bufferBytes: BUFFER_BYTES, snapLength: SNAP_BYTES, promiscuous: false };
  return new PcapPort(device, { filter: NEIGHBOUR_FILTER, ...capture, mtu, mac: bytes });
}

/** How often the carrier has changed, `undefined` without one. */
function readCarrier(device: string): number | undefined {
  try {
    const read = (name: string): string => readFileSync(`/sys/class/net/${device}/${name}`, 'utf8').trim();
    return read('carrier') === '1' ? Number(read('carrier_changes')) : undefined;
  } catch {
    // There is no such interface, or it is down: the file is there and cannot be read then.
    return undefined;
  }
}

/** The host is silent: what waits for this unit, such as the network, may start now (sd_notify(3)). */
async function tellServiceManager(): Promise<void> {
  if (process.env['NOTIFY_SOCKET'] !== undefined) await run('systemd-notify', ['--ready']);
}
