/**
 * What the stack sends on the private link comes in its order, whatever the CPU that sends it: the service's, as long as the
 * window has room, or the one that hands the stack an acknowledgement.
 */
import test from 'ava';
import { METRICS, metricsOf } from './metrics';
import { answered, crash } from './scenario';

const RECORD = 262_144;

test('of long answers that the replica says again, none is missing before another', async (t) => {
  await crash(t, {
    service: { mode: 'get' },
    client: { mode: 'get', connections: 4, record: RECORD, interval: 20 },
    daemon: { recovery: 'replay', top: `metrics = "${METRICS}"` },
    before: (running) => answered(running, 64 * RECORD),
    after: async (running) => {
      await answered(running, RECORD);
      const metrics = metricsOf(running.lab.backup);
      const refused = (reason: string) => metrics.get(`migware_refused_frames_total{reason="${reason}"}`) ?? 0;
      t.true(refused('withheld') > 0);
      t.is(refused('withheld-gap'), 0);
    },
  });
});
