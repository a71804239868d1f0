/** What `check` says of the room for recorded streams, and of a replica that cannot shadow. */
import test from 'ava';
import { recordRoom } from '../../src/cli/checks/records';
import type { Room } from '../../src/cli/checks/records';
import { parseConfig } from '../../src/daemon/config';
import { shadowProblem } from '../../src/daemon/shadow';

const config = (recovery: string, record = '') =>
  parseConfig(
    `interface = "eth0"\nstate_dir = "/var/lib/m"\n${record}\n[[service]]\nname = "a"\naddress = "10.0.0.2"\nports = [1]\nreplica = "10.0.0.3"\nrecovery = "${recovery}"\n`,
    'f.toml',
  );

const GIB = 2 ** 30;
const room = (memoryBytes: number, bytes: number, isMemory = false): Room => ({
  memoryBytes: () => memoryBytes,
  disk: () => ({ bytes, isMemory }),
});

const told = (...args: Parameters<typeof recordRoom>) =>
  [...recordRoom(...args)].map(({ level, check, text }) => `${level} ${check}: ${text}`);

test('a service that resumes needs no room', (t) => {
  t.deepEqual(told(config('resume'), room(0, 0)), []);
});

test('enough room is said to be, and too little is a warning with a remedy', (t) => {
  t.deepEqual(told(config('replay'), room(GIB, 2 * GIB)), [
    'ok record.memory: 256 MiB of 1 GiB available',
    'ok record.disk: 1 GiB of 2 GiB available in /var/lib/m',
  ]);
  t.deepEqual(told(config('shadow'), room(GIB / 8, GIB / 2)), [
    'warn record.memory: 256 MiB may be needed, and 128 MiB are available',
    'warn record.disk: 1 GiB may be needed, and 512 MiB are available in /var/lib/m',
  ]);
  t.true([...recordRoom(config('shadow'), room(0, 0))].every(({ remedy = '' }) => remedy !== ''));
});

test('a disk that is memory is named, and one that is not used', (t) => {
  t.regex(told(config('replay'), room(GIB, 2 * GIB, true))[1] ?? '', /^warn record\.disk: .* is in memory \(tmpfs\)$/);
  t.regex(told(config('replay', 'record.disk = "0"'), room(GIB, 0))[1] ?? '', /^ok record\.disk: not used/);
});

test('a folder that cannot be looked at is a warning', (t) => {
  const broken: Room = {
    memoryBytes: () => GIB,
    disk: () => {
      throw new Error('gone');
    },
  };
  t.deepEqual(told(config('replay'), broken)[1], 'warn record.disk: /var/lib/m cannot be looked at: gone');
});

test('only a replica on this host can shadow', (t) => {
  const [service] = config('shadow').services;
  const [replaying] = config('replay').services;
  if (service === undefined || replaying === undefined) throw new Error('no service');
  t.is(shadowProblem(service, true), undefined);
  t.is(shadowProblem(replaying, false), undefined);
  const { text = '', remedy = '' } = shadowProblem(service, false) ?? {};
  t.is(text, '10.0.0.3 is not an address of this host, and recovery = "shadow" needs the replica here');
  t.is(remedy, 'use recovery = "replay" or "resume", or run the replica on this host');
});
