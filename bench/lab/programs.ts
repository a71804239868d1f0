/** The benchmark's C programs, compiled into build/bench/programs/ each time the benchmark runs. */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';

const SOURCES = resolve('bench/lab/programs');
/** They share headers with the lab's programs. */
const HEADERS = resolve('test/lab/programs');
const OUTPUTS = resolve('build/bench/programs');

const compiled = new Map<string, string>();

/** Path of the compiled program. */
export function compile(name: 'exchange'): string {
  const known = compiled.get(name);
  if (known !== undefined) return known;
  mkdirSync(OUTPUTS, { recursive: true });
  const output = `${OUTPUTS}/${name}`;
  const flags = ['-O2', '-std=gnu17', '-Wall', '-Wextra', '-Werror', `-I${HEADERS}`];
  execFileSync('gcc', [...flags, '-o', output, `${SOURCES}/${name}.c`]);
  compiled.set(name, output);
  return output;
}
