/**
 * Visits every state that can be reached, nearest first, so that what is found wrong comes with a shortest way to it. A
 * state is remembered by a fingerprint of 52 bits: two states can pass for one with a probability of n^2 / 2^53, one in
 * nine thousand for a million states.
 */
import { type Model, type State } from './model';
import { Violation } from './network';

export interface Exploration {
  readonly states: number;
  readonly steps: number;
  /** Longest of the shortest ways to a state. */
  readonly depth: number;
  /** What must not be, and the actions that lead there. */
  readonly found?: { readonly what: string; readonly schedule: readonly string[] };
}

export function explore(model: Model): Exploration {
  const numbers = new Map<number, number>();
  const parents: number[] = [];
  const actions: number[] = [];
  const done: number[] = [];
  const edgesFrom: number[] = [];
  const edgesTo: number[] = [];
  const exhausted: number[] = [];

  const schedule = (state: number, last?: number): string[] => {
    const names: string[] = last === undefined ? [] : [model.actions[last]?.name ?? ''];
    for (let at = state; at > 0; at = parents[at] ?? 0) names.unshift(model.actions[actions[at] ?? 0]?.name ?? '');
    return names;
  };

  const enter = (state: State, parent: number, action: number): number | undefined => {
    const known = numbers.get(state.name);
    const number = known ?? numbers.size;
    if (parent >= 0) {
      edgesFrom.push(parent);
      edgesTo.push(number);
    }
    if (known !== undefined) return undefined;
    numbers.set(state.name, number);
    parents.push(parent);
    actions.push(action);
    if (model.isDone(state.around)) done.push(number);
    else if (state.around.ticksLeft === 0) exhausted.push(number);
    return number;
  };

  const first = model.initial();
  enter(first, -1, -1);
  let layer: [number, State][] = [[0, first]];
  let depth = 0;
  for (; layer.length > 0; depth++) {
    const nextLayer: [number, State][] = [];
    for (const [number, state] of layer) {
      for (const [i, action] of model.actions.entries()) {
        if (!action.can(state.around)) continue;
        let after: State | undefined;
        try {
          after = model.step(state, i);
        } catch (error) {
          if (!(error instanceof Violation)) throw error;
          const found = { what: error.message, schedule: schedule(number, i) };
          return { states: numbers.size, steps: edgesFrom.length, depth, found };
        }
        if (after === undefined) continue;
        const fresh = enter(after, number, i);
        if (fresh !== undefined) nextLayer.push([fresh, after]);
      }
    }
    layer = nextLayer;
  }
  const stuck = firstStuck(numbers.size, edgesFrom, edgesTo, [...done, ...exhausted]);
  const result = { states: numbers.size, steps: edgesFrom.length, depth: depth - 1 };
  if (stuck === undefined) return result;
  return { ...result, found: { what: 'from here nobody gets to the end any more', schedule: schedule(stuck) } };
}

/** The nearest state from which none of `ends` can be reached. */
function firstStuck(
  states: number,
  from: readonly number[],
  to: readonly number[],
  ends: readonly number[],
): number | undefined {
  // Edges by their target, as one array and where each target's part of it begins.
  const begin = new Int32Array(states + 1);
  for (const target of to) begin[target + 1] = (begin[target + 1] ?? 0) + 1;
  for (let i = 0; i < states; i++) begin[i + 1] = (begin[i + 1] ?? 0) + (begin[i] ?? 0);
  const at = begin.slice();
  const sources = new Int32Array(from.length);
  for (const [i, target] of to.entries()) {
    const place = at[target] ?? 0;
    sources[place] = from[i] ?? 0;
    at[target] = place + 1;
  }
  const leads = new Uint8Array(states);
  const work = [...ends];
  for (const end of ends) leads[end] = 1;
  for (let state = work.pop(); state !== undefined; state = work.pop()) {
    for (let i = begin[state] ?? 0; i < (begin[state + 1] ?? 0); i++) {
      const source = sources[i] ?? 0;
      if (leads[source] === 1) continue;
      leads[source] = 1;
      work.push(source);
    }
  }
  const stuck = leads.indexOf(0);
  return stuck < 0 ? undefined : stuck;
}
