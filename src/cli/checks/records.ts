/** Room for recorded streams, when a service needs it: the daemon takes it while it runs, not when it starts. */
import { statfsSync } from 'node:fs';
import type { Config } from '../../daemon/contract';
import { reasonOf } from '../../reason';
import { bytes } from '../../report/text';
import { nearestFolder } from './daemon';
import type { Finding } from './finding';
import { ok, warn } from './finding';

/** linux/magic.h */
const TMPFS_MAGIC = 0x01021994;

/** What this host has; tests say it themselves. */
export interface Room {
  memoryBytes(): number;
  disk(folder: string): { readonly bytes: number; readonly isMemory: boolean };
}

const SYSTEM: Room = {
  memoryBytes: () => process.availableMemory(),
  disk(folder) {
    const { bavail, bsize, type } = statfsSync(nearestFolder(folder));
    return { bytes: bavail * bsize, isMemory: type === TMPFS_MAGIC };
  },
};

export function* recordRoom({ services, record, stateDir }: Config, room: Room = SYSTEM): Iterable<Finding> {
  if (services.every(({ recovery }) => recovery === 'resume')) return;
  const { memoryBytes, diskBytes } = record;
  const available = room.memoryBytes();
  if (available >= memoryBytes) yield ok('record.memory', `${bytes(memoryBytes)} of ${bytes(available)} available`);
  else {
    const text = `${bytes(memoryBytes)} may be needed, and ${bytes(available)} are available`;
    yield warn('record.memory', text, 'lower it: what finds no room there goes to the disk (record.disk)');
  }
  if (diskBytes === 0)
    yield ok('record.disk', 'not used: a stream that outgrows the memory puts its connection at risk');
  else yield diskRoom(stateDir, diskBytes, room);
}

function diskRoom(stateDir: string, wanted: number, room: Room): Finding {
  const check = 'record.disk';
  try {
    const { bytes: available, isMemory } = room.disk(stateDir);
    if (isMemory) {
      const remedy = 'choose a state_dir on a disk, or set record.disk = "0" and raise record.memory';
      return warn(check, `state_dir ${stateDir} is in memory (tmpfs)`, remedy);
    }
    if (available >= wanted) return ok(check, `${bytes(wanted)} of ${bytes(available)} available in ${stateDir}`);
    const text = `${bytes(wanted)} may be needed, and ${bytes(available)} are available in ${stateDir}`;
    return warn(check, text, 'make room, choose another state_dir, or lower it');
  } catch (error) {
    return warn(check, `${stateDir} cannot be looked at: ${reasonOf(error)}`, 'choose another state_dir');
  }
}
