/**
 * The static checks: types of host, core and page, lint, format, and who may import what. All of them run, then it fails.
 *
 *   npm run check [-- NAME...]     only the named ones
 *   npm run format                 corrects what lint and format can correct
 */
import { spawnSync } from 'node:child_process';
import { buildCore, buildPortable } from './build.mjs';
import { locked } from './lib/once.mjs';
import { EXIT, ROOT, Stop, inRoot, main, say } from './lib/project.mjs';
import { setUp } from './setup.mjs';

const TSC = 'node_modules/typescript/bin/tsc';
const ESLINT = 'node_modules/eslint/bin/eslint.js';
const PRETTIER = 'node_modules/prettier/bin/prettier.cjs';

/** @type {Readonly<Record<string, { check: readonly string[], fix?: readonly string[] }>>} */
const CHECKS = {
  host: { check: [TSC, '-p', '.'] },
  core: { check: [TSC, '-p', 'assembly'] },
  page: { check: [TSC, '-p', 'examples/browser'] },
  lint: { check: [ESLINT, '--max-warnings=0', '.'], fix: [ESLINT, '--fix', '.'] },
  format: {
    check: [PRETTIER, '--check', '--log-level=warn', '.'],
    fix: [PRETTIER, '--write', '--log-level=warn', '.'],
  },
  imports: { check: ['scripts/check-imports.mjs'] },
};

await main(import.meta.url, async (args) => {
  const fix = args.includes('--fix');
  const names = args.filter((arg) => arg !== '--fix');
  const unknown = names.filter((name) => !(name in CHECKS));
  if (unknown.length > 0)
    throw new Stop(EXIT.usage, `unknown: ${unknown.join(', ')}; known: ${Object.keys(CHECKS).join(', ')}`);

  await setUp(['build']);
  // The host's types name the module's exports, the examples' the package's.
  await locked(async () => {
    await buildCore();
    await buildPortable();
  });

  const failed = [];
  for (const [name, { check, fix: correct }] of Object.entries(CHECKS)) {
    const command = fix ? correct : check;
    if (command === undefined || (names.length > 0 && !names.includes(name))) continue;
    const [program = '', ...rest] = command;
    const { status } = spawnSync(process.execPath, [inRoot(program), ...rest], { cwd: ROOT, stdio: ['ignore', 2, 2] });
    say(`${status === 0 ? 'ok  ' : 'FAIL'} ${name}`);
    if (status !== 0) failed.push(name);
  }
  if (failed.length > 0) throw new Stop(EXIT.failed, `failed: ${failed.join(', ')}`);
});
