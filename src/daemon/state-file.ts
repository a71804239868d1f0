/**
 * What a daemon that was killed while its replica served needs to go on: the services it had taken over, and the
 * core's records of their connections. A file in state_dir, replaced as a whole.
 *
 * A line of JSON, then the records as the core wrote them. It is of no use after a reboot or in another network
 * namespace, where the replica's ends of the connections do not exist, and of no harm there either: it is passed over.
 * For the same reason nothing is forced to the disk: what dies with the machine is worth nothing after it.
 */
import { readFileSync, rmSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { crc32 } from 'node:zlib';
import { SNAPSHOT_VERSION } from '../core/core';
import { codeOf } from '../reason';
import type { Habitat } from '../takeover/journal';
import type { FailoverReport } from './contract';

const FILE = 'taken-over.state';
const FORMAT = 1;

export interface TakenService {
  readonly name: string;
  readonly address: string;
  readonly failovers: readonly FailoverReport[];
}

export interface TakenState {
  readonly services: readonly TakenService[];
  /** As `Core.exportLive` gives them. */
  readonly records: Buffer;
}

interface Header extends Habitat {
  readonly format: number;
  readonly snapshot: number;
  readonly bytes: number;
  readonly crc32: number;
  readonly services: readonly TakenService[];
}

export class StateFile {
  readonly #path: string;
  readonly #habitat: Habitat;

  constructor(stateDir: string, habitat: Habitat) {
    this.#path = join(resolve(stateDir), FILE);
    this.#habitat = habitat;
  }

  /** @returns `undefined` when there is none that can be used; why not is in `reason` if there is one at all */
  read(): { readonly state: TakenState | undefined; readonly reason?: string } {
    let file: Buffer;
    try {
      file = readFileSync(this.#path);
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return { state: undefined };
      throw error;
    }
    const end = file.indexOf('\n');
    let header: Partial<Header>;
    try {
      header = JSON.parse(file.toString('utf8', 0, Math.max(end, 0))) as Partial<Header>;
    } catch {
      return { state: undefined, reason: 'it is damaged' };
    }
    const records = file.subarray(end + 1);
    const reason = this.#objection(header, records);
    return reason === undefined
      ? { state: { services: header.services ?? [], records } }
      : { state: undefined, reason };
  }

  async write({ services, records }: TakenState): Promise<void> {
    const sums = { bytes: records.length, crc32: crc32(records) };
    const header: Header = { format: FORMAT, snapshot: SNAPSHOT_VERSION, ...this.#habitat, ...sums, services };
    await writeFile(`${this.#path}.new`, [`${JSON.stringify(header)}\n`, records], { mode: 0o600 });
    await rename(`${this.#path}.new`, this.#path);
  }

  remove(): void {
    rmSync(this.#path, { force: true });
  }

  #objection(header: Partial<Header>, records: Buffer): string | undefined {
    if (header.format !== FORMAT || header.snapshot !== SNAPSHOT_VERSION) return 'another version of migware wrote it';
    if (header.boot !== this.#habitat.boot) return 'it is from before the last boot';
    if (header.namespace !== this.#habitat.namespace) return 'it is of another network namespace';
    if (header.bytes !== records.length || header.crc32 !== crc32(records)) return 'it is damaged';
    return undefined;
  }
}
