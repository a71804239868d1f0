/** Bundles a TypeScript program that a test starts in a process of its own, as the build bundles the tests. */
import { resolve } from 'node:path';
import { build } from 'esbuild';

/** @returns the path of the program, for Node */
export async function bundle(source: string): Promise<string> {
  const output = resolve('build', source.replace(/\.ts$/, '.js'));
  await build({
    entryPoints: [source],
    outfile: output,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    sourcemap: true,
    loader: { '.wasm': 'binary' },
    logLevel: 'warning',
  });
  return output;
}
