/** The checker of import rules finds what it is there to find, and nothing in this repository. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test from 'ava';
import { LAYERS, PACKAGES, findViolations } from '../../scripts/check-imports.mjs';

/** Violations in a project that consists of these files. */
async function check(files: Readonly<Record<string, string>>): Promise<string[]> {
  const root = mkdtempSync(join(tmpdir(), 'migware-imports-'));
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(join(root, dirname(path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    return await findViolations(root);
  } finally {
    rmSync(root, { recursive: true });
  }
}

test('this repository keeps the rules', async (t) => {
  t.deepEqual(await findViolations(process.cwd()), []);
});

test('each row of the tables names layers that exist, and a reason', (t) => {
  const layers = new Set(LAYERS.map(({ layer }) => layer));
  t.is(layers.size, LAYERS.length);
  for (const { may, why } of LAYERS) {
    for (const other of may) t.true(layers.has(other), other);
    t.not(why, '');
  }
  for (const { only } of PACKAGES) for (const layer of only) t.true(layers.has(layer), layer);
});

test('the rules for the core have no cycle', (t) => {
  const may = new Map(LAYERS.map((row) => [row.layer, row.may]));
  const reaches = (from: string, to: string): boolean =>
    (may.get(from) ?? []).some((next) => next === to || reaches(next, to));
  for (const { layer } of LAYERS.filter((row) => row.layer.startsWith('assembly/')))
    t.false(reaches(layer, layer), layer);
});

test('an arrow that turns back is found, with the reason', async (t) => {
  const found = await check({
    'assembly/parser/tcp.ts': "import { findConnection } from '../tracker/table';\n",
    'assembly/tracker/table.ts': "import { checkTcp } from '../parser/tcp';\n",
  });
  t.is(found.length, 1);
  t.regex(
    found[0] ?? '',
    /^assembly\/parser\/tcp\.ts: .* assembly\/parser may not import assembly\/tracker: it knows bytes/,
  );
});

const FORBIDDEN: Readonly<Record<string, readonly [file: string, text: string]>> = {
  'the core imports the host': ['assembly/tracker/key.ts', "import { x } from '../../src/core/load';"],
  'the core imports a package': ['assembly/tracker/key.ts', "import { x } from 'siphash';"],
  'the shared constants import anything': ['assembly/abi/layout.ts', "import { Port } from '../parser/packet';"],
  'the translator imports recovery': ['assembly/translator/tcp.ts', "import { x } from '../recovery/feed';"],
  'a shipped file imports a probe': ['assembly/index.ts', "import { x } from './testing/probes';"],
  'the sniffer imports the core': ['src/sniffer/pcap.ts', "import { Core } from '../core/core';"],
  'the daemon reads the layout': ['src/daemon/loop.ts', "import { TX_MAX } from '../../assembly/abi/layout';"],
  'anything imports the command line': ['src/daemon/loop.ts', "import { print } from '../cli/print';"],
  'only a type crosses the border': ['src/sniffer/port.ts', "import type { Core } from '../core/core';"],
  'a re-export crosses the border': ['src/sniffer/port.ts', "export { Core } from '../core/core';"],
  'a dynamic import crosses the border': ['src/sniffer/port.ts', "const core = await import('../core/core');"],
  'a test imports the source of the core': [
    'test/parser/tcp.test.ts',
    "import { x } from '../../assembly/parser/tcp';",
  ],
  'the daemon captures by itself': ['src/daemon/loop.ts', "import pcap from 'pcap';"],
  'a file is in no layer': ['src/misc/util.ts', "import { x } from '../core/core';"],
};

for (const [title, [file, text]] of Object.entries(FORBIDDEN)) {
  test(`refused: ${title}`, async (t) => {
    const found = await check({ [file]: text });
    t.is(found.length, 1);
    t.true(found[0]?.startsWith(`${file}: `));
  });
}

test('allowed: the arrows that the layers are made of', async (t) => {
  const found = await check({
    'assembly/pipeline.ts': "import { x } from './recovery/feed';\nimport { y } from './translator/tcp';",
    'src/core/core.ts':
      "import { Status } from '../../assembly/abi/codes';\nimport wasm from '../../build/core.release.wasm';",
    'src/daemon/loop.ts':
      "import { x } from '../core/core';\nimport { y } from '../sniffer/pcap';\nimport { z } from './state';",
    'src/sniffer/pcap.ts': "import pcap from 'pcap';\nimport { readFileSync } from 'node:fs';",
  });
  t.deepEqual(found, []);
});
