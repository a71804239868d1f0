/** One seed, from drawing to verdict. A failure is played once more, which gives the same again, to record it. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Port } from '../../assembly/abi/codes';
import { PcapFileWriter } from '../../src/sniffer/pcap-file';
import { judge, lossNames } from './judge';
import { drawScenario, type Scenario } from './scenario';
import { World } from './world';

export interface Outcome {
  readonly seed: number;
  /** Empty when all is well. */
  readonly findings: readonly string[];
}

export function play(scenario: Scenario, prepare: (world: World) => void = () => {}): Outcome {
  const findings: string[] = [];
  try {
    const world = new World(scenario);
    prepare(world);
    findings.push(...judge(world, world.run()));
    const lost = lossNames(world);
    if (findings.length > 0 && lost !== '') findings.push(`(given up, by Loss: ${lost})`);
  } catch (error) {
    findings.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  return { seed: scenario.seed, findings };
}

/** Plays a seed, with changes if any; the message of a failure, undefined when all is well. */
export function complaint(seed: number, changes: Partial<Scenario> = {}, draw = drawScenario): string | undefined {
  const scenario = { ...draw(seed), ...changes };
  const { findings } = play(scenario);
  if (findings.length === 0) return undefined;
  return [`seed ${seed}, frames in ${record(scenario)}`, ...findings].join('\n  ');
}

/** Captures of both ports. @returns their folder */
function record(scenario: Scenario): string {
  const folder = mkdtempSync(join(tmpdir(), `migware-sim-${scenario.seed}-`));
  const wire = new PcapFileWriter(join(folder, 'wire.pcap'));
  const stack = new PcapFileWriter(join(folder, 'stack.pcap'));
  play(scenario, (world) => {
    world.onFrame = (port, frame, timeMs) => (port === Port.Wire ? wire : stack).write(frame, timeMs);
  });
  wire.close();
  stack.close();
  return folder;
}
