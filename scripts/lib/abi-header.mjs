/** The ABI as a C header: numbers and names from the files that the core itself is compiled from. */
import { inRoot } from './project.mjs';

const SOURCE = `
  export * as layout from './assembly/abi/layout';
  export * as codes from './assembly/abi/codes';
  export * as names from './src/core/names';
`;

/**
 * What the files say, for this header and for the tests of the documentation.
 * @returns {Promise<{ layout: Record<string, number>, codes: Record<string, Record<string, number | string>>, names: Record<string, unknown> }>}
 */
export async function readAbi() {
  const { build } = await import('esbuild'); // not before the set-up has installed it
  const { outputFiles } = await build({
    stdin: { contents: SOURCE, resolveDir: inRoot('.'), loader: 'ts' },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'neutral',
  });
  const code = outputFiles[0]?.text ?? '';
  return import(`data:text/javascript,${encodeURIComponent(code)}`);
}

export async function abiHeader() {
  const { layout, codes, names } = await readAbi();
  const lines = ['/* Written by the build of migware from assembly/abi and src/core/names.ts. See docs/abi.md. */'];
  lines.push('#ifndef MIGWARE_ABI_H', '#define MIGWARE_ABI_H', '');
  for (const [name, value] of Object.entries(layout).sort(byName)) lines.push(`#define ${name} ${value}u`);
  for (const [name, members] of Object.entries(codes).sort(byName)) {
    const values = Object.entries(members).filter(([, value]) => typeof value === 'number');
    lines.push('', `enum {`);
    for (const [member, value] of values) lines.push(`  ${screaming(name)}_${screaming(member)} = ${value},`);
    lines.push('};');
  }
  for (const [name, table] of Object.entries(names).sort(byName)) {
    if (!name.endsWith('_NAMES')) continue;
    const entries = Object.entries(/** @type {Record<string, string>} */ (table));
    lines.push('', `static const char *const ${name}[] __attribute__((unused)) = {`);
    for (const [code, word] of entries) lines.push(`    [${code}] = "${word}",`);
    lines.push('};');
  }
  return `${[...lines, '', '#endif'].join('\n')}\n`;
}

/**
 * @param {readonly [string, unknown]} a
 * @param {readonly [string, unknown]} b
 */
function byName([a], [b]) {
  return a < b ? -1 : 1;
}

/** @param {string} name in PascalCase */
function screaming(name) {
  return name.replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2').toUpperCase();
}
