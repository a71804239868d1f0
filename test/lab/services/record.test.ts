/** The record of a connection has room for so many bytes; and a connection that was there before the daemon has none. */
import test from 'ava';
import type { DaemonOptions } from '../daemon';
import { openLab } from '../lab';
import type { CrashOptions } from '../scenario';
import { crash } from '../scenario';
import { pacedUploads } from './memory';
import { resetAll } from './reset';

const MIB = 1 << 20;

/** Uploads that the daemon has no room for. */
const OUTGROWN: Readonly<Record<string, NonNullable<DaemonOptions['record']>>> = {
  'its own room': { per_connection: '1MiB' },
  'the room of all': { memory: '4MiB', disk: '0' },
};

for (const recovery of ['replay', 'shadow'] as const) {
  test(`${recovery}: a record larger than the memory is kept in a file`, async (t) => {
    await crash(t, {
      ...pacedUploads(16 * MIB),
      daemon: { recovery, record: { memory: '32MiB', disk: '1GiB' } },
      cut: async ({ lab, daemon }) => {
        const { record } = await daemon.wholeStatus();
        t.log(record);
        t.true(record.diskBytes > 0);
        t.is(record.dropped, 0);
        lab.cut();
      },
    });
  });
}

for (const [what, record] of Object.entries(OUTGROWN)) {
  test(`a connection whose record has outgrown ${what} is reset`, async (t) => {
    await resetAll(t, { ...outgrowing(), daemon: { recovery: 'replay', record } });
  });

  test(`a connection whose record has outgrown ${what} is resumed, if that is the fallback`, async (t) => {
    await crash(t, {
      ...outgrowing(),
      daemon: { recovery: 'replay', fallback: 'resume', record },
      replicaReads: 'rest',
    });
  });
}

/** Far beyond the room for one, and for all. */
function outgrowing(): CrashOptions {
  return pacedUploads(8 * MIB);
}

for (const fallback of ['reset', 'resume'] as const) {
  test(`a connection that was there before the daemon: ${fallback}`, async (t) => {
    const connections = 10;
    const lab = await openLab(t);
    const clients = await lab.connect({ connections });
    await lab.allProgress(clients);
    const daemon = lab.daemon({ recovery: 'replay', fallback });
    await daemon.start();
    await daemon.until('all are picked up', (status) => status.connections.tracked === connections);
    await lab.allProgress(clients);
    lab.cut();
    const outcome = fallback === 'resume' ? { recovered: connections, lost: 0 } : { recovered: 0, lost: connections };
    const { failovers } = await daemon.until('the replica serves', ({ state }) => state === 'proxy');
    t.like(failovers, [outcome]);
    if (fallback === 'resume') {
      await lab.allProgress(clients);
      await lab.finish(clients);
      t.deepEqual((await lab.judge()).problems, []);
    }
    t.deepEqual(await daemon.stop(), []);
  });
}

test('shadow: uploads that outgrow their record go on with the replica that has read along', async (t) => {
  await crash(t, { ...pacedUploads(4 << 20), daemon: { recovery: 'shadow', record: { per_connection: '1MiB' } } });
});
