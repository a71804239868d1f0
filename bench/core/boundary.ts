/** What the host pays to use the core at all: calls, frames into the slot, frames out of it. */
import { coreModule } from '../../src/core/module';
import { Core } from '../../src/core/core';
import { Port } from '../../src/core/names';
import { RETAINED_BYTES, RETAINED_PER_CONNECTION, HASH_KEY, SCENE_CONNECTIONS } from './subject';

type Run = (repetitions: number) => { ns: number };

function timed(body: (repetitions: number) => void): Run {
  return (repetitions) => {
    const begin = process.hrtime.bigint();
    body(repetitions);
    return { ns: Number(process.hrtime.bigint() - begin) };
  };
}

/** By name; the shipped module, through the daemon's own wrapper of it. */
export function boundaryRuns(): Map<string, Run> {
  const capacity = {
    connections: SCENE_CONNECTIONS,
    retainedBytes: RETAINED_BYTES,
    retainedPerConnectionBytes: RETAINED_PER_CONNECTION,
  };
  const core = Core.load(coreModule, capacity, Uint32Array.from(HASH_KEY));
  const small = Buffer.alloc(66, 7);
  const full = Buffer.alloc(1514, 7);
  let sink = 0;
  return new Map([
    [
      'a call that does nothing',
      timed((n) => {
        for (let i = 0; i < n; i++) sink += core.working();
      }),
    ],
    [
      'a frame that is refused at once',
      timed((n) => {
        for (let i = 0; i < n; i++) sink += core.receive(Port.Wire, 0, 0, i);
      }),
    ],
    [
      '66 bytes into the slot',
      timed((n) => {
        for (let i = 0; i < n; i++) core.rx.set(small);
      }),
    ],
    [
      '1514 bytes into the slot',
      timed((n) => {
        for (let i = 0; i < n; i++) core.rx.set(full);
      }),
    ],
    [
      'the view of a frame to send',
      timed((n) => {
        for (let i = 0; i < n; i++) sink += core.frame(0).length;
        if (sink < 0) throw new Error('lengths are not negative');
      }),
    ],
  ]);
}
