/** The portable core on Node: the examples, the package's own name, its declarations, and that nothing of Node is in it. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import test from 'ava';
import { build } from 'esbuild';

function node(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  return { status, output: `${stdout}${stderr}` };
}

test('the portable core keeps to every vector', (t) => {
  const { status, output } = node('examples/node/vectors.mjs');
  t.is(status, 0, output);
  t.regex(output, /^\d+ vectors, \d+ calls: 0 failed\n$/);
});

test('the small program says what a crash at the end of a capture would do', (t) => {
  const { status, output } = node('examples/node/crash.mjs', 'examples/example.pcap', '10.77.0.2');
  t.is(status, 0, output);
  t.is(output.match(/-> port 700[01]: recoverable$/gm)?.length, 5, output);
  t.regex(output, /inbound-hole$/m);
  t.regex(output, /the server dies: 3 connections to move, 3 frames to send\n$/);
  t.is(node('examples/node/crash.mjs').status, 2);
});

test('it is bundled for a browser without a module of Node', async (t) => {
  const { outputFiles, metafile } = await build({
    entryPoints: ['src/portable.ts'],
    bundle: true,
    write: false,
    metafile: true,
    platform: 'browser',
    format: 'esm',
  });
  // An import of node: does not resolve there, and any other would be external.
  t.deepEqual(
    Object.values(metafile.outputs).flatMap(({ imports }) => imports),
    [],
  );
  const [file] = outputFiles;
  t.notRegex(file?.text ?? 'Buffer', /\bBuffer\b|\bprocess\./);
});

test('its declarations need neither Node’s nor those of this project', (t) => {
  const folder = 'build/test/declarations';
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    `${folder}/host.ts`,
    `import { Core, FrameExchange, Port, type Verdict, reasonName } from 'migware/core';
     declare const bytes: Uint8Array<ArrayBuffer>;
     const core = Core.load(bytes, { connections: 1, retainedBytes: 0, retainedPerConnectionBytes: 0 }, new Uint32Array(4));
     const verdict: Verdict = new FrameExchange(core).receive(Port.Wire, bytes, 0);
     export const reason: string = reasonName(verdict.reason);
     // @ts-expect-error it is no text
     export const port: string = Port.Stack;`,
  );
  const compilerOptions = {
    ...{ strict: true, noEmit: true, isolatedModules: true, module: 'nodenext', target: 'es2022' },
    ...{ lib: ['es2022', 'dom'], types: [] },
  };
  writeFileSync(`${folder}/tsconfig.json`, JSON.stringify({ compilerOptions, files: ['host.ts'] }));
  const { status, output } = node('node_modules/typescript/bin/tsc', '-p', folder);
  t.is(status, 0, output);
});
