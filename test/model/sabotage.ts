/** Mistakes, each of one rule, made in the memory of the core: what the model must be able to find. */
import { Dir, Phase, Port } from '../../assembly/abi/codes';
import { CONNECTION_FLOWS, CONNECTION_PHASE, FLOW_ACKED, FLOW_BYTES, FLOW_END } from '../../assembly/abi/layout';
import { asCode } from '../../src/core/names';
import type { Policy } from './core';
import type { Sabotage } from './setting';

const flow = (dir: Dir): number => CONNECTION_FLOWS + dir * FLOW_BYTES;

function add(view: DataView, at: number, n: number): void {
  view.setUint32(at, view.getUint32(at, true) + n, true);
}

/** `at` has got another value in this step. */
function changed(now: DataView, before: DataView, at: number): boolean {
  return now.getUint32(at, true) !== before.getUint32(at, true);
}

function phaseOf(record: DataView): Phase {
  return asCode(record.getUint8(CONNECTION_PHASE));
}

function enters(phase: Phase, now: DataView, before: DataView): boolean {
  return phaseOf(now) === phase && phaseOf(before) !== phase;
}

export interface Mistake {
  readonly name: string;
  readonly policies: readonly Policy[];
  readonly sabotage: Sabotage;
}

const ALL = ['resume', 'replay', 'shadow'] as const;

export const MISTAKES: readonly Mistake[] = [
  {
    name: 'D1 is one too much',
    policies: ALL,
    sabotage: ({ record, deltas: [d1] }, before) => {
      if (enters(Phase.Live, record, before)) add(record, d1, 1);
    },
  },
  {
    name: 'D2 is one too little',
    policies: ALL,
    sabotage: ({ record, deltas: [, d2] }, before) => {
      if (changed(record, before, d2) && record.getUint32(d2, true) !== 0) add(record, d2, -1);
    },
  },
  {
    name: "the client's bytes count as read by the primary when they are seen",
    policies: ['resume'],
    sabotage: ({ record }, before) => {
      const [acked, end] = [flow(Dir.Inbound) + FLOW_ACKED, flow(Dir.Inbound) + FLOW_END];
      const isDirect = phaseOf(record) === Phase.Direct;
      if (isDirect && changed(record, before, end)) record.setUint32(acked, record.getUint32(end, true), true);
    },
  },
  {
    name: "the primary's bytes on their way count as arrived",
    policies: ['resume', 'replay'],
    sabotage: ({ record }, before) => {
      const [acked, end] = [flow(Dir.Outbound) + FLOW_ACKED, flow(Dir.Outbound) + FLOW_END];
      if (enters(Phase.SynSent, record, before)) record.setUint32(acked, record.getUint32(end, true), true);
    },
  },
  {
    name: 'the client is told that one more byte was read',
    policies: ALL,
    sabotage: ({ segments }, _, sent) => {
      for (const [i, { port, segment }] of sent.entries()) {
        if (port !== Port.Wire || segment.ack === undefined) continue;
        const more = segments.of(segment.fin ? 'F' : '', segment.seq, (segment.ack + 1) >>> 0, segment.data);
        sent[i] = { port, segment: more };
      }
    },
  },
];
