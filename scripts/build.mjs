/**
 * Compiles the core with asc and bundles the host, what hosts of one's own need, and the tests with esbuild, into build/.
 *
 *   npm run build [core | host]
 */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { abiHeader } from './lib/abi-header.mjs';
import { inlineMore } from './lib/inlining.mjs';
import { locked, once } from './lib/once.mjs';
import { EXIT, ROOT, Stop, collect, filesIn, inRoot, main, say } from './lib/project.mjs';
import { setUp } from './setup.mjs';

const CORE_ENTRY = 'assembly/index.ts';
/** Each is an entry of its own: its exports are probes onto inner functions, for tests only. */
const PROBES = 'assembly/testing';
const TARGETS = ['release', 'debug', 'test'];

const HOST_ENTRIES = [
  { source: 'src/cli/main.ts', output: 'build/migware.js', executable: true },
  { source: 'src/index.ts', output: 'build/index.js', executable: false },
];

/** `migware/core`: what runs anywhere, its declarations, and its numbers in C. */
const PORTABLE = {
  source: 'src/portable.ts',
  output: 'build/portable.js',
  types: 'build/types',
  header: 'build/migware-abi.h',
};
const PAGE = { folder: 'examples/browser', output: 'build/page' };

/** @type {import('esbuild').BuildOptions} */
const BUNDLE = {
  absWorkingDir: ROOT,
  bundle: true,
  platform: 'node',
  format: 'esm',
  // Also decides how bytes are embedded: without it the bundle calls what Node 20 does not have.
  target: 'node20',
  packages: 'external',
  loader: { '.wasm': 'binary' },
  sourcemap: true,
  logLevel: 'warning',
};

/** The release module alone is shipped; debug keeps the assertions; debug and test have the probes. */
export async function buildCore() {
  const sources = filesIn('assembly', (path) => path.endsWith('.ts'));
  await once(
    {
      stamp: 'build/.stamps/core',
      inputs: [...sources, 'asconfig.json', 'package-lock.json', 'scripts/build.mjs', 'scripts/lib/inlining.mjs'],
      outputs: TARGETS.map((target) => `build/core.${target}.wasm`),
    },
    async () => {
      say('building the core');
      for (const target of TARGETS) rmSync(inRoot(`build/core.${target}.wasm`), { force: true });
      await compileCore('release'); // a mistake is reported once
      await Promise.all(['debug', 'test'].map(compileCore));
      copyFileSync(inRoot('build/core.release.d.ts'), inRoot('build/core.d.ts'));
    },
  );
}

/** @param {string} target of asconfig.json */
async function compileCore(target) {
  const probes = target === 'release' ? [] : filesIn(PROBES, (path) => path.endsWith('.ts'));
  const asc = inRoot('node_modules/assemblyscript/bin/asc.js');
  const args = [asc, CORE_ENTRY, ...probes, '--target', target];
  const { status, output } = await collect(process.execPath, args);
  if (status !== 0) throw new Stop(EXIT.failed, `${output}\nasc could not compile the core (target ${target})`);
  // The optimiser was stopped before it began to make things worse, which is no news.
  const warnings = output.replaceAll('Last converge was suboptimal.\n', '');
  if (warnings !== '') say(warnings);
  // Debug is to be stepped through, function by function.
  if (target !== 'debug') {
    const text = target === 'release' ? inRoot(`build/core.${target}.wat`) : undefined;
    await inlineMore(asc, inRoot(`build/core.${target}.wasm`), text);
  }
  // The generated wrapper is not used: the host reads the module's exports directly.
  rmSync(inRoot(`build/core.${target}.js`), { force: true });
}

export async function buildHost() {
  await once(
    {
      stamp: 'build/.stamps/host',
      inputs: [
        ...filesIn('src'),
        ...filesIn('assembly/abi'),
        'build/core.release.wasm',
        'package.json',
        'package-lock.json',
        'scripts/build.mjs',
      ],
      outputs: HOST_ENTRIES.map(({ output }) => output),
    },
    async () => {
      say('building the host');
      for (const { source, output, executable } of HOST_ENTRIES) {
        // Under another name first: a program that is started meanwhile finds the old bundle or the new one.
        const fresh = output.replace(/\.js$/, '.new.js');
        await bundle({
          entryPoints: [source],
          outfile: fresh,
          banner: executable ? { js: '#!/usr/bin/env node' } : {},
        });
        if (executable) chmodSync(inRoot(fresh), 0o755);
        renameSync(inRoot(fresh), inRoot(output));
        renameSync(inRoot(`${fresh}.map`), inRoot(`${output}.map`));
      }
    },
  );
}

/** The portable core and the page that shows it; the host in C has a Makefile of its own, since it needs wasm2c. */
export async function buildPortable() {
  const page = [`${PAGE.output}/index.html`, `${PAGE.output}/style.css`, `${PAGE.output}/page.js`];
  await once(
    {
      stamp: 'build/.stamps/portable',
      inputs: [
        ...filesIn('src/core'),
        ...filesIn('assembly/abi'),
        ...filesIn(PAGE.folder),
        ...[PORTABLE.source, 'src/errors.ts', 'src/globals.d.ts', 'examples/example.pcap', 'build/core.release.wasm'],
        ...['package.json', 'package-lock.json', 'scripts/build.mjs', 'scripts/lib/abi-header.mjs'],
      ],
      outputs: [PORTABLE.output, PORTABLE.header, `${PORTABLE.types}/src/portable.d.ts`, ...page],
    },
    async () => {
      say('building the portable core');
      // Without a platform, so that a module of Node does not resolve.
      await bundle({ entryPoints: [PORTABLE.source], outfile: PORTABLE.output, platform: 'neutral', target: 'es2022' });
      writeFileSync(inRoot(PORTABLE.header), await abiHeader());
      await declare();
      // A script of the old kind, with the module and the example in it: a browser loads no other from a file.
      await bundle({
        entryPoints: [`${PAGE.folder}/page.ts`],
        outfile: `${PAGE.output}/page.js`,
        platform: 'browser',
        format: 'iife',
        target: 'es2022',
        packages: 'bundle',
        loader: { '.wasm': 'binary', '.pcap': 'binary' },
        minify: true,
        sourcemap: false,
      });
      for (const file of ['index.html', 'style.css']) {
        copyFileSync(inRoot(`${PAGE.folder}/${file}`), inRoot(`${PAGE.output}/${file}`));
      }
    },
  );
}

/** Declarations of the portable core for any compiler: AssemblyScript's names and const enums are not for others. */
async function declare() {
  rmSync(inRoot(PORTABLE.types), { recursive: true, force: true });
  const tsc = inRoot('node_modules/typescript/bin/tsc');
  const options = ['--declaration', '--emitDeclarationOnly', '--noEmit', 'false', '--outDir', PORTABLE.types];
  const { status, output } = await collect(process.execPath, [tsc, '-p', 'src/portable.tsconfig.json', ...options]);
  if (status !== 0) throw new Stop(EXIT.failed, `${output}\ntsc could not declare the portable core`);
  for (const file of filesIn(PORTABLE.types, (path) => path.endsWith('.d.ts'))) {
    const text = readFileSync(inRoot(file), 'utf8')
      .replaceAll('const enum', 'enum')
      .replaceAll(/: u32\b/g, ': number')
      .replaceAll(/(from '\.[^']*)'/g, "$1.js'");
    writeFileSync(inRoot(file), text);
  }
  // What asc wrote about the module is a declaration already, so tsc leaves it where it is.
  mkdirSync(inRoot(`${PORTABLE.types}/build`), { recursive: true });
  copyFileSync(inRoot('build/core.d.ts'), inRoot(`${PORTABLE.types}/build/core.d.ts`));
}

/**
 * Bundles files that are run but not shipped (tests, benches) to the same paths under build/.
 * @param {readonly string[]} entryPoints
 */
export async function buildPrivate(entryPoints) {
  if (entryPoints.length === 0) return;
  await bundle({ entryPoints: [...entryPoints], outbase: '.', outdir: 'build' });
}

/** Outputs of tests whose sources are gone would otherwise run for ever. */
export function removeStaleTests() {
  for (const output of filesIn('build/test', (path) => path.endsWith('.test.js'))) {
    const source = output.replace(/^build\//, '').replace(/\.js$/, '.ts');
    if (!existsSync(inRoot(source))) rmSync(inRoot(output));
  }
}

/** @param {import('esbuild').BuildOptions} options */
export async function bundle(options) {
  const esbuild = await import('esbuild'); // not before the set-up has installed it
  try {
    await esbuild.build({ ...BUNDLE, ...options });
  } catch {
    throw new Stop(EXIT.failed, 'esbuild could not bundle the files above'); // it has printed why
  }
}

await main(import.meta.url, async ([part]) => {
  if (part !== undefined && part !== 'core' && part !== 'host') {
    throw new Stop(EXIT.usage, `unknown part "${part}": expected core or host, or nothing for both`);
  }
  await setUp(['build']);
  await locked(async () => {
    await buildCore();
    if (part === 'core') return;
    await buildHost();
    await buildPortable();
  });
});
