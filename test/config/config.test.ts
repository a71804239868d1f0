/** What a configuration file says, and what it need not say. */
import test from 'ava';
import {
  DEFAULT_COMPARE_PER_CONNECTION,
  DEFAULT_CONNECTIONS,
  DEFAULT_RECORD_BYTES,
  DEFAULT_RECORD_PER_CONNECTION,
  MAX_CONNECTIONS,
  MAX_RECORD_PER_CONNECTION,
  MAX_SERVICES,
  MAX_SERVICE_PORTS,
} from '../../assembly/abi/layout';
import { ConfigError, LIMITS, loadConfig, parseConfig } from '../../src/daemon/config';
import { MINIMAL } from './minimal';

test('the smallest file gets every default', (t) => {
  t.deepEqual(parseConfig(MINIMAL, 'f.toml'), {
    interface: 'eth0',
    control: '/run/migware/control.sock',
    stateDir: '/var/lib/migware',
    metrics: undefined,
    connections: 131072,
    retainedBytes: 128 * 1024 * 1024,
    retainedPerConnectionBytes: 8 * 1024 * 1024,
    record: {
      memoryBytes: 256 * 1024 * 1024,
      diskBytes: 1024 * 1024 * 1024,
      perConnectionBytes: 64 * 1024 * 1024,
      comparePerConnectionBytes: 64 * 1024,
    },
    capture: { bufferBytes: 128 * 1024 * 1024, offload: false },
    services: [
      {
        name: 'telemetry',
        address: '10.77.0.2',
        ports: [7000, 7001],
        replica: '10.77.0.3',
        recovery: 'resume',
        fallback: undefined,
        onDivergence: undefined,
        fence: undefined,
        fenceTimeoutMs: 10_000,
        probes: [{ kind: 'icmp', target: '10.77.0.2', intervalMs: 50, timeoutMs: 50, misses: 3 }],
        deadWhen: 'any',
      },
    ],
  });
});

test('every key is read', (t) => {
  const config = parseConfig(
    `interface = "br-lan.7"
control = "/tmp/c.sock"
state_dir = "/tmp/state"
metrics = "[::1]:9464"
connections = 1000
retained_mb = 16
retained_per_connection_kb = 256
capture = { buffer_mb = 32, offload = true }

[record]
memory = "512MiB"
disk = "0"
per_connection = "1.5MiB"
compare = 16384

[[service]]
name = "bgp"
address = "2001:DB8:0::2"
ports = [179]
replica = "2001:db8::3"
recovery = "replay"
fallback = "resume"
on_divergence = "continue"
fence = "ipmitool chassis power off"
fence_timeout = "1.5s"
dead_when = "all"

[[service.probe]]
kind = "icmp"
target = "2001:db8::22"
interval = "20ms"
timeout = "30ms"
misses = 5

[[service.probe]]
kind = "tcp"

[[service.probe]]
kind = "http"
url = "http://[2001:db8::2]/health"
statuses = [204]
timeout = "1m"

[[service.probe]]
kind = "exec"
command = "test -e /tmp/alive"
`,
    'f.toml',
  );
  t.deepEqual(config, {
    interface: 'br-lan.7',
    control: '/tmp/c.sock',
    stateDir: '/tmp/state',
    metrics: '[::1]:9464',
    connections: 1000,
    retainedBytes: 16 * 1024 * 1024,
    retainedPerConnectionBytes: 256 * 1024,
    record: {
      memoryBytes: 512 * 1024 * 1024,
      diskBytes: 0,
      perConnectionBytes: 1536 * 1024,
      comparePerConnectionBytes: 16_384,
    },
    capture: { bufferBytes: 32 * 1024 * 1024, offload: true },
    services: [
      {
        name: 'bgp',
        address: '2001:db8::2',
        ports: [179],
        replica: '2001:db8::3',
        recovery: 'replay',
        fallback: 'resume',
        onDivergence: 'continue',
        fence: 'ipmitool chassis power off',
        fenceTimeoutMs: 1500,
        probes: [
          { kind: 'icmp', target: '2001:db8::22', intervalMs: 20, timeoutMs: 30, misses: 5 },
          { kind: 'tcp', target: '2001:db8::2', port: 179, intervalMs: 500, timeoutMs: 500, misses: 3 },
          {
            kind: 'http',
            url: 'http://[2001:db8::2]/health',
            statuses: [204],
            intervalMs: 1000,
            timeoutMs: 60_000,
            misses: 3,
          },
          { kind: 'exec', command: 'test -e /tmp/alive', intervalMs: 2000, timeoutMs: 2000, misses: 3 },
        ],
        deadWhen: 'all',
      },
    ],
  });
});

test('a file that cannot be read is an error of configuration', (t) => {
  const error = t.throws(() => loadConfig('/nonexistent/migware.toml'), { instanceOf: ConfigError });
  t.is(error.code, 'MIGWARE_CONFIG');
  t.is(error.message, '/nonexistent/migware.toml: cannot be read (no such file or directory); name the file with -c');
});

test("the limits are the core's", (t) => {
  t.deepEqual(LIMITS, {
    services: MAX_SERVICES,
    ports: MAX_SERVICE_PORTS,
    connections: MAX_CONNECTIONS,
    defaultConnections: DEFAULT_CONNECTIONS,
    recordPerConnection: MAX_RECORD_PER_CONNECTION,
    defaultRecord: DEFAULT_RECORD_BYTES,
    defaultRecordPerConnection: DEFAULT_RECORD_PER_CONNECTION,
    defaultComparePerConnection: DEFAULT_COMPARE_PER_CONNECTION,
  });
});
