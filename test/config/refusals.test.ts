/** What is refused of a configuration file, and in which words: each mistake is told with its place and what was expected. */
import test from 'ava';
import { ConfigError, parseConfig } from '../../src/daemon/config';
import { MINIMAL, SERVICE } from './minimal';

/** The messages for a document, one per mistake. */
function messages(source: string): string[] {
  try {
    parseConfig(source, 'f.toml');
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n');
    throw error;
  }
  return [];
}

/** `change` replaces a line of MINIMAL that begins with the same key, or is put at the end. */
interface Refusal {
  readonly change: string;
  readonly message: string;
}

function changed(change: string): string {
  const [key = ''] = change.split(/\s*=/);
  const line = new RegExp(`^${key}\\s*=.*$`, 'm');
  return line.test(MINIMAL) ? MINIMAL.replace(line, change) : MINIMAL + change;
}

const ADDRESS = 'an IPv4 or IPv6 unicast address of one host, without prefix length or zone';
const INTERVAL = 'a duration from 10ms to 60m, such as "50ms" or "2s"';
const NAME = 'a name of letters, digits, "-", "_" and "."';

const REFUSALS: readonly Refusal[] = [
  { change: 'interface = 7', message: 'f.toml:1: interface: 7 found, expected the name of a network interface' },
  {
    change: 'interface = "much-too-long-for-linux"',
    message: 'f.toml:1: interface: "much-too-long-for-linux" found, expected the name of a network interface',
  },
  { change: 'name = "two words"', message: `f.toml:3: service[0].name: "two words" found, expected ${NAME}` },
  {
    change: 'address = "10.77.0.2/24"',
    message: `f.toml:4: service[0].address: "10.77.0.2/24" found, expected ${ADDRESS}`,
  },
  {
    change: 'address = "10.77.0.256"',
    message: `f.toml:4: service[0].address: "10.77.0.256" found, expected ${ADDRESS}`,
  },
  { change: 'address = "127.0.0.1"', message: `f.toml:4: service[0].address: "127.0.0.1" found, expected ${ADDRESS}` },
  { change: 'address = "0.0.0.0"', message: `f.toml:4: service[0].address: "0.0.0.0" found, expected ${ADDRESS}` },
  { change: 'address = "224.0.0.5"', message: `f.toml:4: service[0].address: "224.0.0.5" found, expected ${ADDRESS}` },
  { change: 'address = "::1"', message: `f.toml:4: service[0].address: "::1" found, expected ${ADDRESS}` },
  { change: 'address = "::"', message: `f.toml:4: service[0].address: "::" found, expected ${ADDRESS}` },
  { change: 'address = "ff02::1"', message: `f.toml:4: service[0].address: "ff02::1" found, expected ${ADDRESS}` },
  { change: 'address = "fe80::1"', message: `f.toml:4: service[0].address: "fe80::1" found, expected ${ADDRESS}` },
  {
    change: 'address = "2001:db8::1%eth0"',
    message: `f.toml:4: service[0].address: "2001:db8::1%eth0" found, expected ${ADDRESS}`,
  },
  {
    change: 'address = "::ffff:10.77.0.2"',
    message: `f.toml:4: service[0].address: "::ffff:10.77.0.2" found, expected ${ADDRESS}`,
  },
  { change: 'ports = 7000', message: 'f.toml:5: service[0].ports: 7000 found, expected an array of ports' },
  { change: 'ports = []', message: 'f.toml:5: service[0].ports: an empty array found, expected at least one of ports' },
  { change: 'ports = [0]', message: 'f.toml:5: service[0].ports[0]: 0 found, expected a port, 1 to 65535' },
  {
    change: 'ports = [7000, 65536]',
    message: 'f.toml:5: service[0].ports[1]: 65536 found, expected a port, 1 to 65535',
  },
  { change: 'ports = [7000.5]', message: 'f.toml:5: service[0].ports[0]: 7000.5 found, expected a port, 1 to 65535' },
  { change: 'ports = ["7000"]', message: 'f.toml:5: service[0].ports[0]: "7000" found, expected a port, 1 to 65535' },
  { change: 'ports = [7000, 7000]', message: 'f.toml:5: service[0].ports[1]: 7000 is listed twice' },
  {
    change: `ports = [${Array.from({ length: 65 }, (_, index) => index + 1).join(', ')}]`,
    message: 'f.toml:5: service[0].ports: 65 entries found, expected at most 64',
  },
  {
    change: 'replica = "2001:db8::3"',
    message: 'f.toml:6: service[0].replica: an IPv6 address found, expected an IPv4 address as in address',
  },
  {
    change: 'replica = "10.77.0.2"',
    message:
      'f.toml:6: service[0].replica: the service address found, expected another address, where the replica listens',
  },
  {
    change: 'recovery = "restart"',
    message: 'f.toml:7: service[0].recovery: "restart" found, expected "resume", "replay" or "shadow"',
  },
  {
    change: 'recovery = "resume"\nfallback = "reset"',
    message:
      'f.toml:8: service[0].fallback: only with recovery = "replay" or "shadow": a connection that is resumed has nothing to fall back from',
  },
  {
    change: 'on_divergence = "continue"',
    message:
      'f.toml:7: service[0].on_divergence: only with recovery = "replay" or "shadow": what is resumed is not compared',
  },
  {
    change: 'recovery = "shadow"\nfallback = "replay"',
    message: 'f.toml:8: service[0].fallback: "replay" found, expected "reset" or "resume"',
  },
  {
    change: 'recovery = "replay"\non_divergence = true',
    message: 'f.toml:8: service[0].on_divergence: true found, expected "continue" or "reset"',
  },
  { change: 'fence = ["off"]', message: 'f.toml:7: service[0].fence: an array found, expected a command for /bin/sh' },
  {
    change: 'fence_timeout = "0s"',
    message:
      'f.toml:7: service[0].fence_timeout: "0s" found, expected a duration from 100ms to 10m, such as "50ms" or "2s"',
  },
  { change: 'prots = [1]', message: 'f.toml:7: service[0].prots: unknown key, did you mean "ports"?' },
  {
    change: 'colour = "red"',
    message:
      'f.toml:7: service[0].colour: unknown key; known here: name, address, ports, replica, recovery, fallback, on_divergence, fence, fence_timeout, dead_when, probe',
  },
  {
    change: 'probe = []',
    message: 'f.toml:7: service[0].probe: an empty array found, expected at least one of probes',
  },
  {
    change: '[[service.probe]]\ninterval = "1s"',
    message: 'f.toml:7: service[0].probe[0].kind: missing, expected "icmp", "tcp", "http" or "exec"',
  },
  {
    change: '[[service.probe]]\nkind = "ping"',
    message: 'f.toml:8: service[0].probe[0].kind: "ping" found, expected "icmp", "tcp", "http" or "exec"',
  },
  {
    change: '[[service.probe]]\nkind = "icmp"\nport = 80',
    message: 'f.toml:9: service[0].probe[0].port: unknown key; known here: interval, timeout, misses, target',
  },
  {
    change: '[[service.probe]]\nkind = "icmp"\ninterval = 50',
    message: `f.toml:9: service[0].probe[0].interval: 50 found, expected ${INTERVAL}`,
  },
  {
    change: '[[service.probe]]\nkind = "icmp"\ninterval = "50 ms"',
    message: `f.toml:9: service[0].probe[0].interval: "50 ms" found, expected ${INTERVAL}`,
  },
  {
    change: '[[service.probe]]\nkind = "icmp"\nmisses = 0',
    message: 'f.toml:9: service[0].probe[0].misses: 0 found, expected a whole number, 1 to 1000',
  },
  { change: '[[service.probe]]\nkind = "http"', message: 'f.toml:7: service[0].probe[0].url: missing' },
  {
    change: '[[service.probe]]\nkind = "http"\nurl = "10.77.0.2"',
    message:
      'f.toml:9: service[0].probe[0].url: "10.77.0.2" found, expected an http:// URL, such as "http://10.0.0.2:8080/health"',
  },
  {
    change: '[[service.probe]]\nkind = "exec"\ncommand = " "',
    message: 'f.toml:9: service[0].probe[0].command: " " found, expected a command for /bin/sh',
  },
];

for (const { change, message } of REFUSALS) {
  test(`refused: ${change.replaceAll('\n', ' ').slice(0, 70)}`, (t) => {
    t.deepEqual(messages(changed(change)), [message]);
  });
}

/** The same for keys of the document itself, which must stand before the first table. */
const TOP_REFUSALS: readonly Refusal[] = [
  {
    change: 'control = "run.sock"',
    message: 'control: "run.sock" found, expected an absolute path of at most 107 bytes',
  },
  { change: 'state_dir = "state"', message: 'state_dir: "state" found, expected an absolute path' },
  {
    change: 'metrics = 9464',
    message: 'metrics: 9464 found, expected "host:port", such as "127.0.0.1:9464" or "[::1]:9464"',
  },
  {
    change: 'metrics = "127.0.0.1:99999"',
    message: 'metrics: "127.0.0.1:99999" found, expected "host:port", such as "127.0.0.1:9464" or "[::1]:9464"',
  },
  { change: 'connections = 1048577', message: 'connections: 1048577 found, expected a whole number, 1 to 1048576' },
  { change: 'retained_mb = 0', message: 'retained_mb: 0 found, expected a whole number, 1 to 2048' },
  {
    change: 'retained_per_connection_kb = 131073',
    message: 'retained_per_connection_kb: 131073 found, expected at most retained_mb, 131072 KiB',
  },
  {
    change: 'record = { memory = "2049MiB" }',
    message: 'record.memory: "2049MiB" found, expected a size from 1MiB to 2GiB, such as "64KiB" or "1GiB"',
  },
  {
    change: 'record = { memory = "64 MiB" }',
    message: 'record.memory: "64 MiB" found, expected a size from 1MiB to 2GiB, such as "64KiB" or "1GiB"',
  },
  {
    change: 'record = { memory = 0 }',
    message: 'record.memory: 0 found, expected a size from 1MiB to 2GiB, such as "64KiB" or "1GiB"',
  },
  {
    change: 'record = { disk = "1023KiB" }',
    message: 'record.disk: "1023KiB" found, expected a size from 1MiB to 1024GiB, such as "64KiB" or "1GiB", or "0"',
  },
  {
    change: 'record = { per_connection = "1.1GiB" }',
    message: 'record.per_connection: "1.1GiB" found, expected a size from 64KiB to 1GiB, such as "64KiB" or "1GiB"',
  },
  {
    change: 'record = { compare = false }',
    message: 'record.compare: false found, expected a size from 4KiB to 1GiB, such as "64KiB" or "1GiB"',
  },
  {
    change: 'record = { size = "1GiB" }',
    message: 'record.size: unknown key; known here: memory, disk, per_connection, compare',
  },
  { change: 'record = "1GiB"', message: 'record: "1GiB" found, expected a table' },
  { change: 'capture = { offload = "no" }', message: 'capture.offload: "no" found, expected true or false' },
  { change: 'capture = 64', message: 'capture: 64 found, expected a table' },
  { change: 'capture = 1979-05-27', message: 'capture: a date found, expected a table' },
  { change: 'interfaces = "eth1"', message: 'interfaces: unknown key, did you mean "interface"?' },
];

for (const { change, message } of TOP_REFUSALS) {
  test(`refused: ${change}`, (t) => {
    t.deepEqual(messages(`${change}\n${MINIMAL}`), [`f.toml:1: ${message}`]);
  });
}

test('retained and recorded bytes have to fit into one memory, where both are kept', (t) => {
  const head = 'interface = "eth0"\nretained_mb = 2048\nrecord.memory = "1.5GiB"\n';
  t.deepEqual(messages(head + SERVICE), []);
  t.deepEqual(messages(`${head}${SERVICE}recovery = "replay"\n`), [
    'f.toml:3: record.memory: 1536MiB found, expected at most 1GiB beside retained_mb = 2048',
  ]);
});

test('missing keys are named, with the line of their table', (t) => {
  t.deepEqual(messages('[[service]]\nname = "a"\n'), [
    'f.toml: interface: missing',
    'f.toml:1: service[0].address: missing',
    'f.toml:1: service[0].ports: missing',
    'f.toml:1: service[0].replica: missing',
  ]);
  t.deepEqual(messages(''), ['f.toml: interface: missing', 'f.toml: service: missing']);
});

test('two services may not share a name, an address and port, or a replica and port', (t) => {
  t.deepEqual(messages(MINIMAL + SERVICE), [
    'f.toml:8: service[1].name: "telemetry" is the name of service[0] already',
    'f.toml:10: service[1].ports[0]: 10.77.0.2 port 7000 belongs to service[0] already',
    'f.toml:10: service[1].ports[1]: 10.77.0.2 port 7001 belongs to service[0] already',
  ]);
  const sameReplica = SERVICE.replace('telemetry', 'other').replace('10.77.0.2', '10.77.0.9').replace('7001', '8001');
  t.deepEqual(messages(MINIMAL + sameReplica), [
    'f.toml:10: service[1].ports[0]: 10.77.0.3 port 7000 is the replica of service[0] already',
  ]);
});

test('addresses are compared by value, not by spelling', (t) => {
  const one = '[[service]]\nname = "a"\naddress = "2001:db8::2"\nports = [1]\nreplica = "2001:db8::3"\n';
  const two = '[[service]]\nname = "b"\naddress = "2001:DB8:0:0::2"\nports = [1]\nreplica = "2001:db8::4"\n';
  t.deepEqual(messages(`interface = "eth0"\n${one}${two}`), [
    'f.toml:10: service[1].ports[0]: 2001:db8::2 port 1 belongs to service[0] already',
  ]);
});

test('mistakes in the same file are told together, each at its place', (t) => {
  const source = `interface = "eth0"
${SERVICE}
  [[service.probe]]
  kind = "icmp"

[[service]]
name = "second"
address = "10.77.0.4"
ports = [1]
replica = "10.77.0.5"
  [[service.probe]]
  kind = "icmp"
  [[service.probe]]
  kind = "icmp" # the second one
  misses = "three"
  "timeuot" = "1s"
`;
  t.deepEqual(messages(source), [
    'f.toml:20: service[1].probe[1].misses: "three" found, expected a whole number, 1 to 1000',
    'f.toml:21: service[1].probe[1].timeuot: unknown key, did you mean "timeout"?',
  ]);
});

test('a syntax error is given with line and column', (t) => {
  t.deepEqual(messages('interface = "eth0"\nports = [7000\n'), [
    'f.toml:3:1: not TOML: expected comma or end of structure',
  ]);
});
