/**
 * Checks who may import what: the arrows between the layers, as docs and reviews name them.
 *
 *   node scripts/check-imports.mjs [ROOT]
 *
 * Reads every import of a TypeScript file under assembly/, src/, test/, bench/ and examples/ and compares the layers of
 * both sides with the tables below. Imports inside one layer are free.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { EXIT, ROOT, Stop, main } from './lib/project.mjs';

/** The layers of the core, bottom first: bytes, packets, connections, what is done with them. */
const CORE = [
  'assembly/abi',
  'assembly/memory',
  'assembly/parser',
  'assembly/tracker',
  'assembly/translator',
  'assembly/recovery',
  'assembly/pipeline.ts',
];

/** The parts that a daemon is made of, each ignorant of the others but for src/core. */
const PARTS = ['src/core', 'src/sniffer', 'src/monitor', 'src/takeover', 'src/report'];

/**
 * A file belongs to the first row that names it or a folder above it, the file's own row before the folder's. It may
 * import files of its row, of the rows in `may`, and of rows that are `openTo` a folder above it.
 * @type {readonly { layer: string, may: readonly string[], openTo?: readonly string[], why: string }[]}
 */
export const LAYERS = [
  {
    layer: 'assembly/abi',
    may: [],
    why: 'it is compiled by the core and by every host, so it can depend on neither',
  },
  {
    layer: 'assembly/parser/packet-codes.ts',
    may: [],
    openTo: ['assembly', 'test', 'bench'],
    why: 'literals only, which the tests of the parser and other parsers read as well',
  },
  {
    layer: 'assembly/parser',
    may: ['assembly/abi'],
    why: 'it knows bytes, not connections, and keeps nothing',
  },
  {
    layer: 'assembly/memory',
    may: ['assembly/abi'],
    why: 'it is the map of the memory; who lives there depends on it, not the other way round',
  },
  {
    layer: 'assembly/tracker',
    may: ['assembly/abi', 'assembly/memory', 'assembly/parser'],
    why: 'it records what was seen and must not know what is done about it',
  },
  {
    layer: 'assembly/translator',
    may: ['assembly/abi', 'assembly/memory', 'assembly/parser', 'assembly/tracker'],
    why: 'it rewrites packets of a connection, however the connection got there',
  },
  {
    layer: 'assembly/recovery',
    may: ['assembly/abi', 'assembly/memory', 'assembly/parser', 'assembly/tracker', 'assembly/translator'],
    why: 'it forges packets with the translator, which must not know recovery',
  },
  {
    layer: 'assembly/pipeline.ts',
    may: CORE.filter((layer) => layer !== 'assembly/pipeline.ts'),
    why: 'it joins the layers',
  },
  { layer: 'assembly/index.ts', may: CORE, why: 'it is the ABI and nothing else; nothing imports it' },
  {
    layer: 'assembly/testing',
    may: CORE,
    why: 'it probes every layer in test builds; nothing imports it, so that it is never shipped',
  },

  { layer: 'src/errors.ts', may: [], openTo: ['src', 'test', 'bench'], why: 'every part may raise an error' },
  { layer: 'src/reason.ts', may: [], openTo: ['src', 'test', 'bench'], why: 'every part may have to word one' },
  { layer: 'src/system-path.ts', may: [], openTo: ['src', 'test', 'bench'], why: 'every part may run a program' },
  {
    layer: 'src/daemon/contract.ts',
    may: [],
    openTo: ['src', 'test', 'bench'],
    why: 'types only, on which the parts of the daemon agree without knowing each other',
  },
  {
    layer: 'src/core',
    may: ['assembly/abi', 'build'],
    why: 'it alone touches the memory of the module and its layout; the others see names and numbers through it',
  },
  { layer: 'src/sniffer', may: [], why: 'it knows bytes, not connections: a port must work without the core' },
  { layer: 'src/monitor', may: [], why: 'it judges the primary and does not act; the daemon does' },
  {
    layer: 'src/takeover',
    may: [],
    why: 'it changes the machine when told to, and undoes it; why is not its business',
  },
  { layer: 'src/report', may: ['src/core'], why: 'it words what it is given and asks nobody' },
  { layer: 'src/daemon', may: PARTS, why: 'it joins the parts, and a command line is only one of its users' },
  { layer: 'src/inspect', may: ['src/core', 'src/report'], why: 'it is the tracker over a file, without a daemon' },
  {
    layer: 'src/guard',
    may: ['src/core', 'src/sniffer', 'src/takeover'],
    why: 'it runs on the primary, where no connection is tracked; of the core it needs the form of addresses',
  },
  {
    layer: 'src/demo',
    may: ['src/sniffer'],
    why: 'it uses migware as its users do, through the command line, and looks on through a capture',
  },
  {
    layer: 'src/cli',
    may: [...PARTS, 'src/daemon', 'src/inspect', 'src/guard', 'src/demo'],
    why: 'it turns arguments into calls; nothing imports it',
  },
  { layer: 'src/index.ts', may: ['src/core'], why: 'it is the surface for other hosts of the core' },
  { layer: 'src/portable.ts', may: ['src/core'], why: 'it is the same for hosts without Node' },
  { layer: 'examples', may: [], why: 'they embed the core as anybody would, through the package' },

  {
    layer: 'test',
    may: [
      'assembly/abi',
      'build',
      ...PARTS,
      'src/daemon',
      'src/inspect',
      'src/guard',
      'src/demo',
      'src/cli',
      'src/index.ts',
      'src/portable.ts',
      'examples',
      'scripts',
    ],
    why: 'tests see all of the host, and of the core what a host sees: the built module',
  },
  {
    layer: 'bench/core',
    may: ['assembly/abi', 'src/core', 'test', 'bench'],
    openTo: ['test/bench'],
    why: 'tests see to it that what is compared does the same',
  },
  {
    layer: 'bench',
    may: ['assembly/abi', 'build', 'src/core', 'src/sniffer', 'src/demo', 'test'],
    why: 'it measures what is shipped, with the tools of the tests and their network',
  },
  { layer: 'scripts', may: [], why: 'they run before anything is built' },
  { layer: 'build', may: [], why: 'outputs only' },
];

/**
 * Packages that only one layer may import.
 * @type {readonly { name: string, only: readonly string[], why: string }[]}
 */
export const PACKAGES = [
  { name: 'pcap', only: ['src/sniffer', 'bench/core'], why: 'capture is behind the port interface' },
  {
    name: 'raw-socket',
    only: ['src/sniffer', 'src/monitor'],
    why: 'it injects and it pings, behind an interface each',
  },
  { name: 'commander', only: ['src/cli'], why: "arguments are the command line's" },
  { name: 'cli-table3', only: ['src/cli', 'src/report'], why: 'only these write for people' },
  { name: 'smol-toml', only: ['src/daemon'], why: 'one reader of the configuration' },
  { name: 'prom-client', only: ['src/report'], why: 'one place for metrics' },
  { name: 'ava', only: ['test'], why: 'it is not shipped' },
  { name: 'fast-check', only: ['test'], why: 'it is not shipped' },
  { name: 'modbus-serial', only: ['test'], why: 'it is not shipped' },
  { name: 'tinybench', only: ['bench/core'], why: 'it is not shipped' },
];

const LAYER_OF = new Map(LAYERS.map((row) => [row.layer, row]));
const CHECKED = ['assembly', 'src', 'test', 'bench', 'examples'];

/**
 * Every import that the tables do not allow, one line each.
 * @param {string} root
 * @returns {Promise<string[]>}
 */
export async function findViolations(root) {
  const { default: ts } = await import('typescript'); // not before the set-up has installed it
  const found = [];
  for (const file of CHECKED.flatMap((folder) => typescriptFiles(root, folder))) {
    const text = readFileSync(join(root, file), 'utf8');
    for (const { fileName } of ts.preProcessFile(text, true, true).importedFiles) {
      const problem = fileName.startsWith('.') ? wrongFile(file, fileName) : wrongPackage(file, fileName);
      if (problem !== null) found.push(`${file}: imports ${fileName}: ${problem}`);
    }
  }
  return found;
}

/**
 * @param {string} root
 * @param {string} folder
 */
function typescriptFiles(root, folder) {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .sort();
}

/** @param {string} path relative to the root, with or without its extension */
function layerOf(path) {
  const file = path.endsWith('.ts') ? path : `${path}.ts`;
  for (let part = file; part !== '.'; part = dirname(part)) {
    const row = LAYER_OF.get(part);
    if (row !== undefined) return row;
  }
  return undefined;
}

/**
 * @param {string} file
 * @param {string} specifier
 */
function wrongFile(file, specifier) {
  const from = layerOf(file);
  const to = layerOf(normalize(join(dirname(file), specifier)));
  if (from === undefined) return 'this file belongs to no layer; name it in scripts/check-imports.mjs';
  if (to === undefined) return 'the imported file belongs to no layer';
  const open = to.openTo?.some((folder) => file.startsWith(`${folder}/`)) ?? false;
  if (from === to || open || from.may.includes(to.layer)) return null;
  return `${from.layer} may not import ${to.layer}: ${from.why}`;
}

/**
 * @param {string} file
 * @param {string} specifier
 */
function wrongPackage(file, specifier) {
  const from = layerOf(file);
  if (from?.layer.startsWith('assembly/') === true) return 'the core depends on no package';
  const row = PACKAGES.find(({ name }) => specifier === name || specifier.startsWith(`${name}/`));
  if (row === undefined || (from !== undefined && row.only.includes(from.layer))) return null;
  return `only ${row.only.join(' and ')} may import ${row.name}: ${row.why}`;
}

await main(import.meta.url, async ([root = ROOT]) => {
  const violations = await findViolations(root);
  if (violations.length > 0) throw new Stop(EXIT.failed, violations.join('\n'));
});
