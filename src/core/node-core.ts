/** The core for hosts on Node, whose addons take Buffers: so all bytes of its memory are seen as such. */
import { type Capacity, Core } from './core';
import { coreModule } from './module';

export type NodeCore = Core<Buffer>;

/** The release build that is embedded in the bundle. */
export function loadNodeCore(capacity: Capacity, hashKey: Uint32Array): NodeCore {
  return Core.loadWith(coreModule, capacity, hashKey, (memory, offset, length) => Buffer.from(memory, offset, length));
}
