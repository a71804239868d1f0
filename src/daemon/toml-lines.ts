/**
 * Where a key stands in a TOML document. The parser gives values without positions, and an error message without a
 * line number makes its reader search; so this finds the line by the headers and keys that begin lines. It does not
 * look into inline tables and arrays: for a value inside of one, the line of the key that holds it is given. A wrong
 * guess is impossible on documents without multi-line strings that imitate keys, and costs only a wrong line number.
 */
import type { Path } from './schema';

const KEY_PART = String.raw`(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')`;
const KEY = String.raw`${KEY_PART}(?:\s*\.\s*${KEY_PART})*`;
const HEADER = new RegExp(String.raw`^\s*(\[\[?)\s*(${KEY})\s*\]\]?\s*(?:#.*)?$`);
const ASSIGNMENT = new RegExp(String.raw`^\s*(${KEY})\s*=`);

/** The line, from 1, of the key at `path` or of the nearest table around it; `undefined` if not even that is found. */
export function lineOf(source: string, path: Path): number | undefined {
  let table: Path = [];
  const counts = new Map<string, number>();
  let best: number | undefined;
  let bestLength = 0;
  const consider = (found: Path, line: number) => {
    if (found.length <= bestLength || !isPrefix(found, path)) return;
    best = line;
    bestLength = found.length;
  };

  source.split('\n').forEach((line, index) => {
    const [, brackets, header] = HEADER.exec(line) ?? [];
    if (header !== undefined) {
      table = indexed(keyParts(header), brackets === '[[', counts);
      consider(table, index + 1);
      return;
    }
    const [, key] = ASSIGNMENT.exec(line) ?? [];
    if (key !== undefined) consider([...table, ...keyParts(key)], index + 1);
  });
  return best;
}

/** The path of a header: names of arrays of tables are followed by the index of their last entry so far. */
function indexed(parts: readonly string[], opensEntry: boolean, counts: Map<string, number>): Path {
  const path: (string | number)[] = [];
  parts.forEach((part, position) => {
    path.push(part);
    const id = JSON.stringify(path);
    if (opensEntry && position === parts.length - 1) counts.set(id, (counts.get(id) ?? -1) + 1);
    const last = counts.get(id);
    if (last !== undefined) path.push(last);
  });
  return path;
}

function keyParts(key: string): string[] {
  return [...key.matchAll(new RegExp(KEY_PART, 'g'))].map(([part]) => part.replace(/^["']|["']$/g, ''));
}

function isPrefix(shorter: Path, longer: Path): boolean {
  return shorter.every((part, index) => part === longer[index]);
}
