/** The lab's C programs: compiled when their sources are newer, into build/lab/. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, statSync } from 'node:fs';
import { resolve } from 'node:path';

const SOURCES = resolve('test/lab/programs');
const OUTPUTS = resolve('build/lab');

export type ProgramName = 'service' | 'client' | 'cable';

/** Path of the compiled program. */
export function program(name: ProgramName): string {
  const output = `${OUTPUTS}/${name}`;
  const isCurrent = existsSync(output) && statSync(output).mtimeMs > newestSource();
  if (!isCurrent) {
    mkdirSync(OUTPUTS, { recursive: true });
    const fresh = `${output}.${process.pid}`;
    execFileSync('gcc', ['-O2', '-std=gnu17', '-Wall', '-Wextra', '-Werror', '-o', fresh, `${SOURCES}/${name}.c`]);
    renameSync(fresh, output);
  }
  return output;
}

function newestSource(): number {
  return Math.max(...readdirSync(SOURCES).map((file) => statSync(`${SOURCES}/${file}`).mtimeMs));
}

/** Options of a program as arguments: `{ holdReading: true, port: 7 }` is `--hold-reading 1 --port 7`. */
export function options(values: Readonly<Record<string, string | number | boolean | undefined>>): string[] {
  return Object.entries(values).flatMap(([name, value]) => {
    if (value === undefined || value === false) return [];
    const option = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    return [option, value === true ? '1' : String(value)];
  });
}
