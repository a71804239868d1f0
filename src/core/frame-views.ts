/**
 * Views of frames in the core's memory. Making one costs more than a frame's whole translation, and the packet
 * loop may make none, so views are kept: the same offset and length come back with nearly every frame, since a
 * translated frame leaves from the place it was captured to.
 */

/** How a host wants to see bytes of the memory: Node's addons take Buffers, other hosts have none. */
export type MakeView<View extends Uint8Array> = (memory: ArrayBuffer, offset: number, length: number) => View;

/** Power of two. Arbitrary: 1,500 lengths in the receive slot and the offsets at which forged segments repeat. */
const SLOTS = 8192;

/** Direct-mapped cache: a frame that falls on another's slot replaces it, so the memory used has a bound. */
export class FrameViews<View extends Uint8Array> {
  readonly #memory: ArrayBuffer;
  readonly #makeView: MakeView<View>;
  readonly #views: (View | undefined)[];
  readonly #offsets = new Uint32Array(SLOTS);
  readonly #lengths = new Uint32Array(SLOTS);

  constructor(memory: ArrayBuffer, makeView: MakeView<View>) {
    this.#memory = memory;
    this.#makeView = makeView;
    this.#views = new Array<View | undefined>(SLOTS).fill(undefined);
  }

  /** The `length` bytes at `offset`, as long as the core does not write there again. */
  get(offset: number, length: number): View {
    // Frames in the arena start at multiples of 8 or more; an odd multiplier spreads neighbouring offsets.
    const slot = (Math.imul(offset >>> 3, 0x9e3779b1) + length) & (SLOTS - 1);
    const kept = this.#views[slot];
    if (kept !== undefined && this.#offsets[slot] === offset && this.#lengths[slot] === length) return kept;
    const view = this.#makeView(this.#memory, offset, length);
    this.#views[slot] = view;
    this.#offsets[slot] = offset;
    this.#lengths[slot] = length;
    return view;
  }
}
