/** The commands that ask a running daemon, and its metrics, over a fail-over by hand. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import test from 'ava';
import type { ConnectionReport, FailoverReport, StatusReport } from '../../../src/daemon/contract';
import { SERVICE } from '../daemon';
import { openLab } from '../lab';
import { METRICS, metricsOf } from '../metrics';

const MIGWARE = resolve('build/migware.js');
const CONNECTIONS = 30;

test('status, connections, metrics and failover agree before and after', async (t) => {
  const lab = await openLab(t, { service: { backlog: 1024 } });
  // A probe that sees nothing: the fail-over is left to the operator.
  const service = '[[service.probe]]\nkind = "exec"\ncommand = "true"';
  const daemon = lab.daemon({ top: `metrics = "${METRICS}"`, service });
  await daemon.start();
  const clients = await lab.connect({ connections: CONNECTIONS, interval: 20 });
  await daemon.until('all are tracked', ({ connections }) => connections.tracked === CONNECTIONS);

  // Whoever asks needs to know the control socket and nothing else.
  const config = `${lab.network.directory}/ask.toml`;
  writeFileSync(
    config,
    `interface = "eth0"\ncontrol = "${lab.network.directory}/control.sock"\n[[service]]\n` +
      'name = "x"\naddress = "10.0.0.1"\nports = [1]\nreplica = "10.0.0.2"\n',
  );
  const run = (...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [MIGWARE, ...args, '-c', config], {
      encoding: 'utf8',
    });
    t.is(status, 0, stderr);
    return stdout;
  };
  const json = (...args: string[]): unknown => JSON.parse(run(...args, '--json'));
  const metric = (name: string, labels: string) =>
    metricsOf(lab.backup).get(`migware_${name}{service="${SERVICE}"${labels}}`);
  const serviceNow = () => (json('status') as StatusReport).services[0];

  t.regex(
    run('status'),
    new RegExp(`^${SERVICE} +normal +10\\.77\\.0\\.2 alive +10\\.77\\.0\\.3 +${CONNECTIONS} `, 'm'),
  );
  t.like(serviceNow()?.connections, { tracked: CONNECTIONS, recoverable: CONNECTIONS, atRisk: 0, recovered: 0 });
  const direct = json('connections') as ConnectionReport[];
  t.is(direct.length, CONNECTIONS);
  t.true(
    direct.every(({ service, state, phase }) => `${service} ${state} ${phase}` === `${SERVICE} established direct`),
  );
  t.is(metric('connections', ',kind="tracked"'), CONNECTIONS);
  t.is(metric('service_state', ',state="normal"'), 1);

  lab.cut();
  const failover = json('failover', SERVICE) as FailoverReport;
  t.like(failover, { recovered: CONNECTIONS, lost: 0, detectionMs: 0 });
  await lab.allProgress(clients);

  t.like(serviceNow(), { state: 'proxy', failovers: [failover] });
  t.like(serviceNow()?.connections, { recovered: CONNECTIONS, lost: 0 });
  const moved = json('connections') as ConnectionReport[];
  t.true(moved.every(({ phase, recovered }) => phase === 'live' && recovered));
  t.regex(run('connections'), /established +replica /);
  t.regex(run('status'), new RegExp(`^${SERVICE} +proxy `, 'm'));
  t.is(metric('service_state', ',state="proxy"'), 1);
  t.is(metric('connections_recovered_total', ''), CONNECTIONS);
  await lab.finish(clients);
  t.deepEqual((await lab.judge()).problems, []);
  t.deepEqual(await daemon.stop(), []);
});
