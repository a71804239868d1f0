/** The metrics of a running daemon. */
import type { Host } from '../../src/demo/network';

/** Where a daemon of the lab, which has its host for itself, offers them. */
export const METRICS = '127.0.0.1:9464';

/** Values by name and labels, as the daemon writes them. */
export function metricsOf(host: Host): ReadonlyMap<string, number> {
  const get = `fetch("http://${METRICS}/metrics").then((answer) => answer.text()).then(console.log)`;
  const lines = host.run(process.execPath, '-e', get).split('\n');
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  );
}
