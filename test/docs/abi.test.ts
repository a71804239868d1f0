/**
 * The written ABI says what the source says: every number, every code, every call, and an example that runs.
 * With MIGWARE_ABI_DOC=write the numbers in docs/abi.md are brought up to date; names and words are for people to write.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import test from 'ava';
import * as codes from '../../assembly/abi/codes';
import * as layout from '../../assembly/abi/layout';
import { hex, tcpFrame } from '../support/frames';
import { compile } from '../support/wasm';

const FILE = 'docs/abi.md';
/** A row of a table that begins with a name and its number. */
const ROW = /^\| `([\w.]+)` +\| (-?\d+) +\|/gm;

/** Names as the page has them: constants alone, codes with their table. */
function source(): Map<string, number> {
  const numbers = Object.entries(layout);
  for (const [table, members] of Object.entries(codes)) {
    for (const [member, code] of Object.entries(members)) {
      if (typeof code === 'number') numbers.push([`${table}.${member}`, code]);
    }
  }
  return new Map(numbers);
}

if (process.env['MIGWARE_ABI_DOC'] === 'write') {
  const numbers = source();
  const text = readFileSync(FILE, 'utf8').replace(ROW, (row, name: string, old: string) => {
    const now = `${numbers.get(name) ?? old}`;
    // As wide as before, so that the table stays one.
    return row.replace(/\| (-?\d+) +\|$/, (cell) => `| ${now.padEnd(cell.length - 4)} |`);
  });
  writeFileSync(FILE, text);
}

const page = readFileSync(FILE, 'utf8');

test('every number and every code is there once, and right', (t) => {
  const rows = Array.from(page.matchAll(ROW), ([, name = '', number = '']) => [name, Number(number)] as const);
  t.deepEqual(
    rows.map(([name]) => name).sort(),
    [...source().keys()].sort(),
    'names; a new one needs a row in docs/abi.md',
  );
  t.deepEqual(Object.fromEntries(rows), Object.fromEntries(source()), 'numbers; MIGWARE_ABI_DOC=write corrects them');
});

test('every call is there', (t) => {
  const calls = WebAssembly.Module.exports(compile('release')).filter(({ kind }) => kind === 'function');
  t.deepEqual(
    calls.map(({ name }) => name).filter((name) => !page.includes(`${name}(`)),
    [],
  );
});

/** Runs the first example of a page; what goes before it says what it leaves to its reader. */
function runExample(name: string, text: string, before = '', after = ''): string {
  const [, example = ''] = /```js\n(.*?)```/s.exec(text) ?? [];
  const folder = 'build/test/example';
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}/${name}.mjs`, `${before}\n${example}\n${after}`);
  const { stdout, stderr } = spawnSync(process.execPath, [`${folder}/${name}.mjs`], { encoding: 'utf8' });
  return `${stdout}${stderr}`;
}

test('the example does what it says', (t) => {
  t.is(runExample('abi', page), 'none 0\n192.0.2.1 4000 syn-sent\n');
});

test('so does the one in the README', (t) => {
  const before = `
    import { readFileSync } from 'node:fs';
    import { parseAddress } from 'migware/core';
    const bytesOfTheModule = readFileSync(new URL(import.meta.resolve('migware/core.wasm')));
    const capacity = { connections: 16, retainedBytes: 1 << 20, retainedPerConnectionBytes: 1 << 18 };
    const [hashKey, mac, nowMs] = [Uint32Array.of(1, 2, 3, 4), new Uint8Array(6), 0];
    const [address, replica] = [parseAddress('10.0.0.2'), parseAddress('10.0.0.3')];
    const more = { handshakeWindow: 64, echo: true, vlan: 0, mapFirst: 0, mapLast: 0 };
    const service = { address, replica, ports: [7000], ...more };
    const frame = Buffer.from('${hex(tcpFrame({ flags: 'S' }))}', 'hex');`;
  t.regex(
    runExample('readme', readFileSync('README.md', 'utf8'), before, 'console.log(sent, reason);'),
    /client: '10\.0\.0\.9'.*\[\] 0\n$/s,
  );
});
