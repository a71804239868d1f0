/** Everything that a run has measured, and its figures. */
import type { Setting } from '../lab/machine';
import { median, summarize, type Summary } from '../lab/statistics';
import type { Contender, Round } from './measure';

export interface Measured {
  readonly group: string;
  readonly name: string;
  readonly rounds: readonly Round[];
}

export interface Results {
  readonly setting: Setting;
  readonly compiler: string;
  readonly measured: readonly Measured[];
}

/** One line of `--json`. */
export interface Figure {
  readonly name: string;
  readonly nsPerOp: number;
  readonly nativeNsPerOp?: number;
  readonly plainNsPerOp?: number;
}

/** Median of the rounds, ns; undefined when it was not measured. */
export function timeOf({ rounds }: Measured, who: Contender): number | undefined {
  const times = rounds.flatMap((round) => round[who] ?? []);
  return times.length === 0 ? undefined : median(times);
}

/** How often `below` goes into `above`, of each round: what disturbs a round disturbs both. */
export function ratioOf({ rounds }: Measured, above: Contender, below: Contender): Summary | undefined {
  const ratios = rounds.flatMap((round) => {
    const [over, under] = [round[above], round[below]];
    return over === undefined || under === undefined ? [] : over / under;
  });
  return ratios.length === 0 ? undefined : summarize(ratios);
}

/** The pcap package's decoder is a line of its own: it is neither of the other two. */
export function figures({ measured }: Results): Figure[] {
  return measured.flatMap((one) => {
    const [core, native, plain, pcap] = (['core', 'native', 'plain', 'pcap'] as const).map((who) => timeOf(one, who));
    const name = `${one.group}: ${one.name}`;
    return [
      {
        name,
        nsPerOp: core ?? NaN,
        ...(native === undefined ? {} : { nativeNsPerOp: native }),
        ...(plain === undefined ? {} : { plainNsPerOp: plain }),
      },
      ...(pcap === undefined ? [] : [{ name: `${name}, by the pcap package`, nsPerOp: pcap }]),
    ];
  });
}
