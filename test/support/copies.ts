/** Flows whose replica is given the client's stream from its first byte, and what holds of each of them. */
import type { ExecutionContext } from 'ava';
import { Port } from '../../assembly/abi/codes';
import {
  SERVICE_FLAG_REPLAY,
  SERVICE_FLAG_SHADOW,
  SERVICE_RECOVERING,
  SERVICE_TRACKED,
} from '../../assembly/abi/layout';
import { Flow, type FlowOptions } from './flow';
import type { Build } from './wasm';
import { World, type WorldOptions } from './world';

/** Of a service with these flags. */
export const make =
  (flags: number) =>
  (build: Build, options: FlowOptions = {}, world: WorldOptions = {}): Flow =>
    new Flow(new World(build, { services: [{ flags, remote: options.remote ?? false }], ...world }), options);
export const shadow = make(SERVICE_FLAG_SHADOW);
export const replay = make(SERVICE_FLAG_REPLAY);

/** The client has heard nothing, and nobody else on its segment. */
export function isUnheard(t: ExecutionContext, flow: Flow): void {
  t.deepEqual(
    flow.all.filter(({ port }) => port === Port.Wire),
    [],
  );
}

/** Time takes what is left of it, and nothing of it remains. */
export function leavesNothing(t: ExecutionContext, flow: Flow): void {
  const { world } = flow;
  world.run(130_000, 1000);
  t.is(world.service(SERVICE_TRACKED), 0);
  t.is(world.service(SERVICE_RECOVERING), 0);
  t.is(world.retainedUsed(), 0);
  t.is(world.recordedUsed(), 0);
  t.is(world.working(), 0);
}
