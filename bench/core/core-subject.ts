/** The module: its steps are repeated by assembly/testing/bench-probes.ts, in the build that has them. */
import type { Core } from '../../test/support/wasm';
import { ARENA_BYTES, NOW_MS, type Scene, type Step, type Subject, type Timed } from './subject';

const PAGE_BYTES = 65536;

export class CoreSubject implements Subject {
  readonly name = 'core';
  readonly exports: Core<'test'>['exports'];
  /** Where the arena lies in the module's memory, behind everything of its own. */
  readonly arena: number;
  readonly bytes: Uint8Array;
  #ring = 0;

  /** @param core in the state of the scene: it was made with it; views of it are void afterwards */
  constructor(core: Core<'test'>, scene: Scene) {
    const { exports, memory } = core;
    this.arena = memory.grow(ARENA_BYTES / PAGE_BYTES) * PAGE_BYTES;
    this.exports = exports;
    this.bytes = new Uint8Array(memory.buffer);
    this.bytes.set(scene.arena, this.arena);
    this.bytes.set(scene.slot, exports.rxSlot() >>> 0);
    const { fill } = scene;
    if (fill !== undefined) exports.benchFill(this.arena + fill.server, fill.port, fill.count);
  }

  run(step: Step, args: readonly number[], repetitions: number): Timed {
    const call = this.#call(step, args, repetitions);
    const begin = process.hrtime.bigint();
    const result = call();
    return { ns: Number(process.hrtime.bigint() - begin), result: result >>> 0 };
  }

  #call(step: Step, [a = 0, b = 0, c = 0, d = 0, e = 0]: readonly number[], n: number): () => number {
    const { exports, arena } = this;
    switch (step) {
      case 'checksum':
        return () => exports.benchChecksum(arena + a, b, n);
      case 'patch':
        return () => exports.benchPatch(arena + a, arena + b, n);
      case 'parse':
        return () => exports.benchParse(arena + a, b, n);
      case 'find':
        return () => exports.benchFind(arena + a, b, c, d, e, n);
      case 'touch':
        return () => exports.benchTouch(a, b, n);
      case 'track':
        return () => exports.benchTrack(a, arena + b, c, arena + d, e, n);
      case 'translate':
        return () => exports.benchTranslate(a, arena + b, c, n);
      case 'receive':
        return () => this.#receive(a, b, c, n);
    }
  }

  /** `batch` frames for each call from the host. */
  #receive(ring: number, count: number, batch: number, n: number): number {
    const { exports } = this;
    const base = this.arena + ring;
    let result = 0;
    for (let done = 0; done < n; done += batch) {
      result += exports.benchReceive(base, count, this.#ring, batch, NOW_MS);
      this.#ring = (this.#ring + batch) % count;
    }
    return result;
  }
}
