/**
 * Services whose answers contain what nobody can foresee: their clients cannot be moved, and are told so at once, by a reset.
 * What a client has got until then is the primary's, and right.
 */
import test from 'ava';
import { endure, openStage } from './failover';
import { postgresScram } from './postgres';
import type { RealService } from './real-service';
import { sshd } from './ssh';

const SERVICES: readonly RealService[] = [sshd, postgresScram];

for (const service of SERVICES) {
  test(`${service.name}: its client comes to its end when nobody dies`, async (t) => {
    await endure(t, service);
  });

  for (const recovery of ['replay', 'shadow'] as const) {
    test(`${service.name}, ${recovery}: the client is reset, and the status says why`, async (t) => {
      const stage = await openStage(t, service, { daemon: { recovery } });
      const error = await t.throwsAsync(stage.play());
      t.log(error.message);
      const { daemon } = stage;
      const status = await daemon?.until(
        'the connection is given up',
        ({ failovers: [failover] }) => failover?.lost === 1,
      );
      t.like(status, { divergences: 1, failovers: [{ recovered: 0, lost: 1 }] });
      t.not((await stage.complaints()).length, 0, 'the client is reset');
      t.deepEqual(await daemon?.stop(), []);
    });
  }
}
