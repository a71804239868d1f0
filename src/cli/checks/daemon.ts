/** What the daemon itself needs: its directory, its socket, and no remains of another one. */
import { constants, accessSync, existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { isServed } from '../../daemon/control';
import type { Config } from '../../daemon/contract';
import { MigwareError } from '../../errors';
import { reasonOf } from '../../reason';
import { plural } from '../../report/text';
import { Journal } from '../../takeover/journal';
import { fail, ok, warn } from './finding';
import type { Finding } from './finding';

export async function* daemonFiles({ control, stateDir }: Config): AsyncIterable<Finding> {
  yield writable('state_dir', stateDir);
  yield writable('control', dirname(control));
  if (await isServed(control)) {
    yield warn('control', `a daemon answers at ${control}`, 'one at a time can use this configuration');
    return;
  }
  yield ok('control', `${control} is free`);
  // Not made by merely looking.
  if (!existsSync(stateDir)) return;
  yield await leftovers(stateDir);
}

/** The folder, or the one around it that it would be made in. */
export function nearestFolder(folder: string): string {
  let existing = folder;
  while (!existsSync(existing) && existing !== dirname(existing)) existing = dirname(existing);
  return existing;
}

/** Whether files can be made there, or the folder itself if it does not exist yet. */
function writable(check: string, folder: string): Finding {
  const existing = nearestFolder(folder);
  try {
    accessSync(existing, constants.W_OK | constants.X_OK);
    return ok(check, `${folder} ${existing === folder ? 'is writable' : 'can be made'}`);
  } catch (error) {
    const remedy = 'choose another folder, or run as the user it belongs to';
    return fail(check, `${existing} is not writable: ${reasonOf(error)}`, remedy);
  }
}

async function leftovers(stateDir: string): Promise<Finding> {
  const check = 'last daemon';
  try {
    const journal = await Journal.open(stateDir);
    const { length } = journal.changes;
    await journal.close();
    if (length === 0) return ok(check, 'left nothing behind');
    return warn(
      check,
      `ended without undoing ${plural(length, 'change')} to this host`,
      'the next "migware run" with this state_dir undoes them',
    );
  } catch (error) {
    if (!(error instanceof MigwareError)) throw error;
    return warn(check, error.message, 'one at a time can use this configuration');
  }
}
