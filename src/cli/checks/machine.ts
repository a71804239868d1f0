/** This machine, whatever the configuration says: privileges, programs, kernel settings. */
import { missingCapabilities } from '../../daemon/linux-machine';
import { EnvironmentError } from '../../errors';
import { readSysctl } from '../../takeover/change';
import { run } from '../../takeover/command';
import { fail, ok, warn } from './finding';
import type { Finding } from './finding';

export function* privileges(): Iterable<Finding> {
  const missing = missingCapabilities();
  if (missing.length === 0) {
    yield ok('privileges', 'may capture, inject and configure the network');
  } else {
    yield fail('privileges', `${missing.join(' and ')} missing`, 'run as root, or give the service these capabilities');
  }
}

/** Each with an argument that does nothing. */
const PROGRAMS = [
  { program: 'ip', args: ['-V'], found: 'iproute2' },
  { program: 'ss', args: ['-V'], found: 'iproute2' },
  { program: 'nft', args: ['-v'], found: 'nftables' },
  { program: 'ethtool', args: ['--version'], found: 'ethtool' },
] as const;

export async function* programs(): AsyncIterable<Finding> {
  const missing: (typeof PROGRAMS)[number][] = [];
  for (const each of PROGRAMS) {
    try {
      await run(each.program, each.args);
    } catch (error) {
      if (!(error instanceof EnvironmentError)) throw error;
      missing.push(each);
    }
  }
  if (missing.length === 0) {
    yield ok('programs', PROGRAMS.map(({ program }) => program).join(', '));
    return;
  }
  const packages = [...new Set(missing.map(({ found }) => found))].join(' ');
  yield fail(
    'programs',
    `${missing.map(({ program }) => program).join(', ')} not found`,
    `install ${packages}, for example: apt-get install ${packages}`,
  );
}

/** Settings others stumble over. Here any value will do, which is worth saying to who knows of them. */
export function* routing(): Iterable<Finding> {
  const filter = readSysctl('net/ipv4/conf/all/rp_filter') ?? 'absent';
  const forward = readSysctl('net/ipv4/ip_forward') ?? 'absent';
  yield ok('routing', `rp_filter ${filter}, ip_forward ${forward}: any value works, nothing is routed by the kernel`);
}

const TCP_OPTIONS = [
  {
    key: 'net/ipv4/tcp_timestamps',
    lack: 'clients that agreed on timestamps with the primary will get none from the replica',
  },
  { key: 'net/ipv4/tcp_sack', lack: 'recovered connections repeat more than they need after a loss' },
  { key: 'net/ipv4/tcp_window_scaling', lack: 'recovered connections have windows of 64 KiB at most' },
] as const;

/** What the forged handshake will find this host's stack willing to agree on, beside what clients usually have. */
export function* tcpOptions(): Iterable<Finding> {
  const off = TCP_OPTIONS.filter(({ key }) => readSysctl(key) === '0');
  if (off.length === 0) yield ok('TCP options', 'timestamps, SACK and window scaling are on, as with most clients');
  for (const { key, lack } of off) {
    const name = key.replaceAll('/', '.');
    yield warn('TCP options', `${name} = 0: ${lack}`, `set it as on the primary, usually: sysctl -w ${name}=1`);
  }
}
