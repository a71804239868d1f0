/** What has to be on the machine besides Node and npm, and how it gets there on Debian. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { EXIT, Stop, must, say } from './project.mjs';

/**
 * build: compile the native packages and the test programs. run: what the daemon and the demo call.
 * test: what only tests call that need no root. lab: what only the tests in network namespaces call.
 * @typedef {'build' | 'run' | 'test' | 'lab'} Purpose
 */

/** Where a system keeps administrators' programs; a user's PATH may not name it. */
const PATH = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'];

/** @type {readonly { purpose: Purpose, what: string, debian: string, present: () => boolean }[]} */
const NEEDS = [
  { purpose: 'build', what: 'a C compiler (gcc)', debian: 'gcc', present: command('gcc') },
  { purpose: 'build', what: 'a C++ compiler (g++)', debian: 'g++', present: command('g++') },
  { purpose: 'build', what: 'make', debian: 'make', present: command('make') },
  { purpose: 'build', what: 'Python 3 (for node-gyp)', debian: 'python3', present: command('python3') },
  { purpose: 'build', what: 'the C library headers', debian: 'libc6-dev', present: header('stdio.h') },
  { purpose: 'build', what: 'the libpcap headers', debian: 'libpcap-dev', present: header('pcap/pcap.h') },
  { purpose: 'run', what: 'ip (iproute2)', debian: 'iproute2', present: command('ip') },
  { purpose: 'run', what: 'nft (nftables)', debian: 'nftables', present: command('nft') },
  { purpose: 'run', what: 'sysctl (procps)', debian: 'procps', present: command('sysctl') },
  { purpose: 'run', what: 'ethtool', debian: 'ethtool', present: command('ethtool') },
  { purpose: 'test', what: 'wasm2c (wabt)', debian: 'wabt', present: command('wasm2c') },
  { purpose: 'test', what: 'chromium', debian: 'chromium', present: command('chromium') },
  { purpose: 'lab', what: 'tcpdump', debian: 'tcpdump', present: command('tcpdump') },
  { purpose: 'lab', what: 'ping', debian: 'iputils-ping', present: command('ping') },
  { purpose: 'lab', what: 'iperf3', debian: 'iperf3', present: command('iperf3') },
  { purpose: 'lab', what: 'tshark', debian: 'tshark', present: command('tshark') },
  { purpose: 'lab', what: 'curl', debian: 'curl', present: command('curl') },
  { purpose: 'lab', what: "OpenBSD's netcat", debian: 'netcat-openbsd', present: command('nc.openbsd') },
  { purpose: 'lab', what: 'nginx', debian: 'nginx-light', present: command('nginx') },
  { purpose: 'lab', what: 'lighttpd', debian: 'lighttpd', present: command('lighttpd') },
  { purpose: 'lab', what: 'redis', debian: 'redis-server', present: command('redis-server') },
  { purpose: 'lab', what: 'memcached', debian: 'memcached', present: command('memcached') },
  { purpose: 'lab', what: 'mosquitto', debian: 'mosquitto', present: command('mosquitto') },
  { purpose: 'lab', what: "mosquitto's clients", debian: 'mosquitto-clients', present: command('mosquitto_pub') },
  { purpose: 'lab', what: 'rsync', debian: 'rsync', present: command('rsync') },
  { purpose: 'lab', what: 'the OpenSSH server', debian: 'openssh-server', present: command('sshd') },
  { purpose: 'lab', what: 'PostgreSQL', debian: 'postgresql', present: postgres },
];

/** invoke-rc.d(8) asks it whether a package may start its service. */
const SERVICE_POLICY = '/usr/sbin/policy-rc.d';
const NO_SERVICE = "#!/bin/sh\n# Made by migware's set-up while it installs packages.\nexit 101\n";

export function isRoot() {
  return process.getuid?.() === 0;
}

/**
 * Why the lab cannot run on this machine, or null. The lab makes network namespaces.
 * @returns {string | null}
 */
export function labObstacle() {
  if (!isRoot()) return 'network namespaces need root';
  const { status, error, stderr } = spawnSync('unshare', ['--net', 'true'], { encoding: 'utf8' });
  return status === 0 ? null : `this system allows no new network namespace (${error?.message ?? stderr.trim()})`;
}

/**
 * Installs what is missing for the purposes, or stops and names it.
 * @param {readonly Purpose[]} purposes
 */
export async function installSystem(purposes) {
  const missing = NEEDS.filter((need) => purposes.includes(need.purpose) && !need.present());
  if (missing.length === 0) return;

  const packages = missing.map((need) => need.debian).join(' ');
  if (!isDebian()) {
    const list = missing.map((need) => `  - ${need.what}`).join('\n');
    throw new Stop(EXIT.environment, `This system lacks:\n${list}\nInstall it and run the command again.`);
  }
  if (!isRoot()) {
    throw new Stop(EXIT.environment, `Debian packages are missing. As root, run: apt-get install ${packages}`);
  }
  say(`installing Debian packages: ${packages}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  // Another apt may be at work, most of all on a machine that has just been started.
  const patience = ['-o', 'DPkg::Lock::Timeout=300', '-o', 'Acquire::Retries=3'];
  await must('apt-get', [...patience, 'update', '-qq'], env);
  const install = [...patience, 'install', '-y', '-qq', '--no-install-recommends', ...packages.split(' ')];
  await withoutServices(() => must('apt-get', install, env));

  const still = missing.filter((need) => !need.present()).map((need) => need.what);
  if (still.length > 0) throw new Stop(EXIT.environment, `apt-get succeeded, but still missing: ${still.join(', ')}`);
}

/**
 * What the lab starts, it starts in hosts of its own: no package is to start a service on this machine.
 * @param {() => Promise<void>} install
 */
async function withoutServices(install) {
  // Where there is a policy already, as in most containers, it stays: it is somebody's decision.
  const isOurs = !existsSync(SERVICE_POLICY);
  if (isOurs) writeFileSync(SERVICE_POLICY, NO_SERVICE, { mode: 0o755 });
  try {
    await install();
  } finally {
    if (isOurs) rmSync(SERVICE_POLICY, { force: true });
  }
}

/** Its programs are in a directory of their version, and not in PATH. */
function postgres() {
  const versions = '/usr/lib/postgresql';
  return existsSync(versions) && readdirSync(versions).some((name) => existsSync(`${versions}/${name}/bin/initdb`));
}

function isDebian() {
  if (!existsSync('/etc/os-release') || !command('apt-get')()) return false;
  const release = readFileSync('/etc/os-release', 'utf8');
  return /^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(release);
}

/** @param {string} name */
function command(name) {
  return () => PATH.some((folder) => isExecutable(join(folder, name)));
}

/** @param {string} file */
function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** @param {string} name */
function header(name) {
  return () => ['/usr/include', '/usr/local/include'].some((folder) => existsSync(join(folder, name)));
}
