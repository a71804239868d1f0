import test from 'ava';
import type { ConnectionReport } from '../../src/daemon/contract';
import type { ListFormat } from '../../src/report/connections';
import { connectionsJson, connectionsText } from '../../src/report/connections';
import { metricsOf, serveMetrics } from '../../src/report/metrics';
import { statusText } from '../../src/report/status-text';
import { bytes, count, duration, plural } from '../../src/report/text';
import { troubles } from '../../src/report/troubles';
import { EnvironmentError } from '../../src/errors';
import { connectionReport, failoverReport, serviceReport, statusReport } from '../support/reports';

test('numbers are written for people', (t) => {
  t.deepEqual([0, 999, 1000, 1_234_567, 10n ** 12n].map(count), [
    '0',
    '999',
    '1,000',
    '1,234,567',
    '1,000,000,000,000',
  ]);
  t.deepEqual(
    [0, 0.21, 9.96, 84.6, 999, 1000, 12_345, 60_000, 3_599_999, 3_723_000, 7_200_000, 90_000_000].map(duration),
    ['0 ms', '0.2 ms', '10 ms', '85 ms', '999 ms', '1 s', '12.3 s', '1 min', '59 min', '1 h 2 min', '2 h', '1 d 1 h'],
  );
  t.deepEqual([0, 1023, 1024, 134_217_728, 5 * 2 ** 30].map(bytes), ['0 B', '1023 B', '1 KiB', '128 MiB', '5 GiB']);
  t.deepEqual([plural(1, 'connection'), plural(2000, 'connection')], ['1 connection', '2,000 connections']);
});

test('status: a daemon that is well', (t) => {
  t.is(
    statusText(statusReport()),
    `migware 0.1.0, process 4242, up 1 h 2 min
captured 120,000 frames, dropped 0; 103 of 131,072 records used, 64 KiB retained

SERVICE    STATE   PRIMARY          REPLICA    TRACKED  RECOVERABLE  AT RISK  RECOVERED  PROXIED  LOST
telemetry  normal  10.77.0.2 alive  10.77.0.3      103          100        2          0        0     1
`,
  );
});

test('status: after a fail-over', (t) => {
  const primary = { ...serviceReport().primary, alive: false, verdict: 'dead' as const };
  const connections = { ...serviceReport().connections, recovered: 100, proxied: 7, lost: 2 };
  const service = serviceReport({ state: 'proxy', primary, connections, failovers: [failoverReport()] });
  t.is(
    statusText(statusReport({ services: [service] })),
    `migware 0.1.0, process 4242, up 1 h 2 min
captured 120,000 frames, dropped 0; 103 of 131,072 records used, 64 KiB retained

SERVICE    STATE  PRIMARY              REPLICA    TRACKED  RECOVERABLE  AT RISK  RECOVERED  PROXIED  LOST
telemetry  proxy  10.77.0.2 not alive  10.77.0.3      103          100        2        100        7     2

FAILOVER   AT                        DETECTED IN  RECOVERED IN  RECOVERED  LOST  REASON
telemetry  2026-01-02T03:04:05.678Z       150 ms         85 ms        100     2  icmp: 3 probes unanswered
`,
  );
});

test('status: room for records and divergences, where some service needs them', (t) => {
  const service = serviceReport({ recovery: 'shadow', divergences: 3 });
  const record = { memoryBytes: 12 << 20, memoryLimit: 256 << 20, diskBytes: 0, diskLimit: 2 ** 30, dropped: 1234 };
  const text = statusText(statusReport({ services: [service], record }));
  t.regex(text, /^recorded streams: 12 MiB of 256 MiB in memory, 0 B of 1 GiB on the disk; 1,234 given up$/m);
  t.regex(text, / LOST {2}DIVERGED$/m);
  t.regex(text, / 1 {9}3$/m);
  const none = statusText(statusReport({ services: [service], record: { ...record, diskLimit: 0 } }));
  t.regex(none, /, none on the disk; /);
});

test('a daemon that is well has no troubles', (t) => {
  t.deepEqual(troubles(statusReport()), []);
});

test('troubles name what is wrong and the remedy', (t) => {
  const base = serviceReport();
  const unheard = { ...base.primary, heardAgoMs: undefined };
  const silent = { ...base.primary, alive: false, verdict: 'suspect' as const, reason: 'icmp: 2 probes unanswered' };
  const found = troubles(
    statusReport({
      uptimeMs: 30_000,
      services: [
        serviceReport({ name: 'unheard', primary: unheard }),
        serviceReport({ name: 'silent', primary: silent }),
        serviceReport({ name: 'refused', refused: 'fence: exit code 1' }),
      ],
      capture: { received: 900, dropped: 100 },
      ports: [
        { name: 'wire', device: 'eth0', up: false, error: 'gone', received: 0, dropped: 0, sent: 0, sendFailed: 0 },
      ],
      memory: { connectionsUsed: 950, connections: 1000, retainedBytes: 0 },
    }),
  );
  t.deepEqual(
    found.map(({ id, text }) => `${id} | ${text}`),
    [
      'port wire | eth0 is down: gone',
      'capture drops | the capture has dropped 100 frames of 1,000',
      'connection records | 950 of 1,000 connection records are in use',
      'tap unheard | unheard: no frame of the primary 10.77.0.2 has been seen on eth0 in 30 s',
      'primary silent | silent: the primary 10.77.0.2 does not answer (icmp: 2 probes unanswered)',
      'refused refused | refused: the take-over was refused: fence: exit code 1',
    ],
  );
  t.true(found.every(({ remedy }) => remedy !== ''));
  const [idle] = troubles(statusReport(), new Set(['telemetry']));
  t.is(idle?.text, 'telemetry: no connection to the primary 10.77.0.2 has been seen on eth0 in 1 h 2 min');
});

test('a daemon that has just started is not warned of what it cannot have seen', (t) => {
  const primary = { ...serviceReport().primary, alive: false, verdict: 'suspect' as const };
  t.deepEqual(troubles(statusReport({ uptimeMs: 500, services: [serviceReport({ primary })] })), []);
});

function written(format: ListFormat, connections: ConnectionReport[]): string {
  return (
    format.begin() +
    connections.map((each, index) => format.item(each, index)).join('') +
    format.end(connections.length)
  );
}

test('connections: JSON is an array whatever its length', (t) => {
  const all = [connectionReport(), connectionReport({ client: '[2001:db8::9]:1' }), connectionReport()];
  for (let length = 0; length <= all.length; length++) {
    t.deepEqual(JSON.parse(written(connectionsJson, all.slice(0, length))), all.slice(0, length));
  }
});

test('connections: text', (t) => {
  t.is(
    written(connectionsText, [
      connectionReport(),
      connectionReport({
        phase: 'live',
        recovered: true,
        inbound: { ...connectionReport().inbound, retainedBytes: 2048 },
        recoverable: 'at-risk',
        reason: 'inbound-hole',
        hole: { seq: 4_000_000_000, bytes: 1460 },
      }),
    ]),
    `SERVICE       CLIENT                 SERVER                 STATE         SERVED BY     IDLE      RETAINED   RECORDED   RECOVERABLE
telemetry     10.77.0.9:40000        10.77.0.2:7000         established   primary       250 ms    0 B        0 B        recoverable
telemetry     10.77.0.9:40000        10.77.0.2:7000         established   replica       250 ms    2 KiB      0 B        at-risk (inbound-hole, 1460 bytes at 4000000000)
`,
  );
  const shadowed = { phase: 'withheld', shadow: 'reading', recordedBytes: 3 << 20 } as const;
  const [, first = '', second = ''] = written(connectionsText, [
    connectionReport({ ...shadowed, divergence: { offset: 120, delivered: true } }),
    connectionReport({
      ...shadowed,
      shadow: null,
      recoverable: 'at-risk',
      reason: 'diverged',
      divergence: { offset: 2 ** 33, delivered: false },
    }),
  ]).split('\n');
  t.regex(first, / primary +250 ms +0 B +3 MiB +recoverable, replica differs at 120 in what the client has$/);
  t.regex(second, / withheld +250 ms +0 B +3 MiB +at-risk \(diverged\), replica differs at 8589934592$/);
  t.regex(written(connectionsText, []), /no connections\n$/);
});

test('metrics follow the daemon, reading by reading', async (t) => {
  let status = statusReport();
  let refusals = 3n;
  const metrics = metricsOf({
    status: () => status,
    counters: () => [
      { kind: 'refused', name: 'bad-ip-checksum', value: refusals },
      { kind: 'event', name: 'forged-syn', value: 100n },
    ],
  });
  const lines = async () => (await metrics.read()).split('\n');
  const first = await lines();
  for (const line of [
    'migware_info{version="0.1.0"} 1',
    'migware_connections{service="telemetry",kind="tracked"} 103',
    'migware_connections{service="telemetry",kind="at_risk"} 2',
    'migware_service_state{service="telemetry",state="normal"} 1',
    'migware_service_state{service="telemetry",state="proxy"} 0',
    'migware_primary_alive{service="telemetry"} 1',
    'migware_probe_rtt_seconds{service="telemetry",kind="icmp",target="10.77.0.2"} 0.00025',
    'migware_refused_frames_total{reason="bad-ip-checksum"} 3',
    'migware_core_events_total{event="forged-syn"} 100',
    'migware_capture_received_total{port="wire"} 120000',
    'migware_capture_dropped_total{port="wire"} 0',
    'migware_failovers_total{service="telemetry"} 0',
    'migware_divergences_total{service="telemetry"} 0',
    'migware_recorded_bytes_max{place="disk"} 0',
    'migware_records_dropped_total 0',
  ]) {
    t.true(first.includes(line), line);
  }
  refusals = 5n;
  status = statusReport({
    services: [serviceReport({ state: 'proxy', failovers: [failoverReport()], divergences: 4 })],
    record: { memoryBytes: 2048, memoryLimit: 4096, diskBytes: 65_536, diskLimit: 131_072, dropped: 7 },
  });
  const second = await lines();
  for (const line of [
    'migware_refused_frames_total{reason="bad-ip-checksum"} 5',
    'migware_service_state{service="telemetry",state="normal"} 0',
    'migware_service_state{service="telemetry",state="proxy"} 1',
    'migware_failovers_total{service="telemetry"} 1',
    'migware_divergences_total{service="telemetry"} 4',
    'migware_recorded_bytes{place="memory"} 2048',
    'migware_recorded_bytes{place="disk"} 65536',
    'migware_recorded_bytes_max{place="memory"} 4096',
    'migware_recorded_bytes_max{place="disk"} 131072',
    'migware_records_dropped_total 7',
    'migware_failover_detection_seconds{service="telemetry"} 0.15',
    'migware_failover_recovery_seconds{service="telemetry"} 0.0845',
  ]) {
    t.true(second.includes(line), line);
  }
});

test('metrics are served, and nothing else is', async (t) => {
  const server = await serveMetrics('127.0.0.1:0', { status: () => statusReport(), counters: () => [] });
  t.teardown(() => server.close());
  const good = await fetch(`http://127.0.0.1:${server.port}/metrics`);
  t.is(good.status, 200);
  t.regex(await good.text(), /^# HELP migware_info /);
  t.is((await fetch(`http://127.0.0.1:${server.port}/`)).status, 404);
  const error = await t.throwsAsync(
    serveMetrics(`127.0.0.1:${server.port}`, { status: () => statusReport(), counters: () => [] }),
    { instanceOf: EnvironmentError },
  );
  t.is(error.message, `metrics 127.0.0.1:${server.port} cannot be served: address already in use`);
});
