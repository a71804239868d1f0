/** Reports of a daemon that is well, to be varied by tests. */
import type { ConnectionReport, FailoverReport, ServiceReport, StatusReport } from '../../src/daemon/contract';

export function failoverReport(change: Partial<FailoverReport> = {}): FailoverReport {
  return {
    at: '2026-01-02T03:04:05.678Z',
    reason: 'icmp: 3 probes unanswered',
    detectionMs: 150,
    recoveryMs: 84.5,
    recovered: 100,
    lost: 2,
    ...change,
  };
}

export function serviceReport(change: Partial<ServiceReport> = {}): ServiceReport {
  return {
    name: 'telemetry',
    state: 'normal',
    address: '10.77.0.2',
    ports: [7000, 7001],
    replica: '10.77.0.3',
    recovery: 'resume',
    primary: {
      alive: true,
      verdict: 'alive',
      reason: 'icmp: answered',
      heardAgoMs: 12,
      probes: [{ kind: 'icmp', target: '10.77.0.2', misses: 0, rttMs: 0.25 }],
    },
    connections: { tracked: 103, recoverable: 100, atRisk: 2, recovered: 0, proxied: 0, lost: 1, halfOpen: 0 },
    handshakeWindow: 256,
    divergences: 0,
    failovers: [],
    ...change,
  };
}

export function statusReport(change: Partial<StatusReport> = {}): StatusReport {
  return {
    version: '0.1.0',
    pid: 4242,
    uptimeMs: 3_723_000,
    services: [serviceReport()],
    capture: { received: 120_000, dropped: 0 },
    ports: [{ name: 'wire', device: 'eth0', up: true, received: 120_000, dropped: 0, sent: 0, sendFailed: 0 }],
    memory: { connectionsUsed: 103, connections: 131_072, retainedBytes: 65_536 },
    record: { memoryBytes: 0, memoryLimit: 0, diskBytes: 0, diskLimit: 0, dropped: 0 },
    ...change,
  };
}

export function connectionReport(change: Partial<ConnectionReport> = {}): ConnectionReport {
  return {
    service: 'telemetry',
    client: '10.77.0.9:40000',
    server: '10.77.0.2:7000',
    state: 'established',
    phase: 'direct',
    recoverable: 'recoverable',
    options: ['window-scale', 'sack', 'timestamps'],
    recovered: false,
    proxied: false,
    recordedBytes: 0,
    shadow: null,
    divergence: null,
    idleMs: 250,
    inbound: { isn: 1000, end: 1513, acked: 1513, mss: 1460, windowShift: 7, retainedBytes: 0 },
    outbound: { isn: 2000, end: 2001, acked: 2001, mss: 1460, windowShift: 7, retainedBytes: 0 },
    ...change,
  };
}
