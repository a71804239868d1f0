/** Findings, and sequences that lead somewhere, kept as files: one step per line, so that a reader and git can tell them apart. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { asCode } from '../../src/core/names';
import { fromHex, hex } from '../support/frames';
import type { Step } from './rig';

/** Programs and tests run in the project's root. */
export const CORPUS = 'test/fuzz/corpus';

type Line = [kind: string, a: number, b: number, more?: string];

function toLine(step: Step): Line {
  switch (step.kind) {
    case 'frame':
      return ['frame', step.port, step.missing, shortHex(step.frame)];
    case 'state':
      return ['state', step.service, step.state];
    case 'quarantine':
      return ['quarantine', step.service, step.on ? 1 : 0];
    case 'dismiss':
    case 'announce':
      return [step.kind, step.service, 0];
    case 'restart':
      return ['restart', step.damage.missing, 0, step.damage.changed.map((change) => change.join(':')).join()];
    case 'tick':
      return ['tick', step.elapsedMs, 0];
  }
}

/** Hexadecimal; a byte that is there many times, as a payload is, once with how often. */
function shortHex(frame: Uint8Array): string {
  return hex(frame).replaceAll(/(..)\1{7,}/g, (run: string, byte: string) => `(${byte}*${run.length / 2})`);
}

const RUN = /\((..)\*(\d+)\)/g;

function repeated(_: string, byte: string, count: string): string {
  return byte.repeat(Number(count));
}

function changeOf(text: string): [at: number, value: number] {
  const [at, value] = text.split(':').map(Number);
  return [at ?? 0, value ?? 0];
}

function fromLine(text: string): Step {
  const [kind, a, b, more = ''] = text.split(' ');
  const [first, second] = [Number(a), Number(b)];
  switch (kind) {
    case 'frame':
      return { kind, port: asCode(first), missing: second, frame: fromHex(more.replaceAll(RUN, repeated)) };
    case 'state':
      return { kind, service: first, state: asCode(second) };
    case 'quarantine':
      return { kind, service: first, on: second === 1 };
    case 'dismiss':
    case 'announce':
      return { kind, service: first };
    case 'restart':
      return { kind, damage: { missing: first, changed: more === '' ? [] : more.split(',').map(changeOf) } };
    case 'tick':
      return { kind, elapsedMs: first };
    default:
      throw new Error(`a corpus line begins with ${kind ?? 'nothing'}`);
  }
}

export function save(path: string, title: string, steps: readonly Step[]): void {
  writeFileSync(path, `# ${title}\n${steps.map((step) => toLine(step).join(' ')).join('\n')}\n`);
}

/** Name and steps of each file. */
export function corpus(): { readonly name: string; readonly steps: readonly Step[] }[] {
  return readdirSync(CORPUS)
    .filter((file) => file.endsWith('.steps'))
    .map((file) => ({
      name: basename(file, '.steps').replaceAll('-', ' '),
      steps: readFileSync(join(CORPUS, file), 'utf8')
        .split('\n')
        .filter((line) => line !== '' && !line.startsWith('#'))
        .map(fromLine),
    }));
}
