/**
 * A small declarative reader for configuration tables: what a table may hold is written down once, as data, and from
 * it follow the checks, the messages and the TypeScript type of the result.
 *
 * A reader never throws. It reports every problem it finds, each with the path of the key, the value found and what
 * was expected, and returns `undefined`: so a user sees all mistakes of a file at once.
 */

/** Keys and indices from the root of the document to a value. */
export type Path = readonly (string | number)[];

export interface Problem {
  readonly path: Path;
  /** Complete but for the place: `70000 found, expected a port, 1 to 65535`. */
  readonly text: string;
}

export interface Reader<T> {
  read(value: unknown, path: Path, problems: Problem[]): T | undefined;
}

interface Field<T> {
  readonly reader: Reader<T>;
  readonly required: boolean;
  readonly fallback: T;
}

type Fields = Readonly<Record<string, Field<unknown>>>;
type TableOf<F extends Fields> = { readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never };

/** A key that must be there. */
export function required<T>(reader: Reader<T>): Field<T> {
  // The fallback is never read: a missing key is a problem, and a document with problems has no result.
  return { reader, required: true, fallback: undefined as T };
}

/** A key that may be missing, and what its absence means. */
export function optional<T, D = T>(reader: Reader<T>, fallback: D): Field<T | D> {
  return { reader, required: false, fallback };
}

/** A table with exactly these keys. */
export function table<F extends Fields>(fields: F): Reader<TableOf<F>> {
  const names = Object.keys(fields);
  return {
    read(value, path, problems) {
      if (!isTable(value)) return refuse(problems, path, value, 'a table');
      const before = problems.length;
      for (const key of Object.keys(value)) {
        if (!Object.hasOwn(fields, key)) problems.push({ path: [...path, key], text: unknownKey(key, names) });
      }
      const result: Record<string, unknown> = {};
      for (const [key, field] of Object.entries(fields)) {
        if (Object.hasOwn(value, key)) {
          result[key] = field.reader.read(value[key], [...path, key], problems);
        } else if (field.required) {
          problems.push({ path: [...path, key], text: 'missing' });
        } else {
          result[key] = field.fallback;
        }
      }
      return problems.length === before ? (result as TableOf<F>) : undefined;
    },
  };
}

/** A table whose keys depend on the word under one of them, as those of a probe depend on its `kind`. */
export function variant<const Tag extends string, V extends Readonly<Record<string, Reader<object>>>>(
  tag: Tag,
  variants: V,
): Reader<VariantOf<Tag, V>> {
  const words = Object.keys(variants);
  return {
    read(value, path, problems) {
      if (!isTable(value)) return refuse(problems, path, value, 'a table');
      const { [tag]: word, ...rest } = value;
      if (word === undefined) {
        problems.push({ path: [...path, tag], text: `missing, expected ${alternatives(words)}` });
        return undefined;
      }
      const reader = typeof word === 'string' && Object.hasOwn(variants, word) ? variants[word] : undefined;
      if (reader === undefined) return refuse(problems, [...path, tag], word, alternatives(words));
      const result = reader.read(rest, path, problems);
      return result && ({ ...result, [tag]: word } as VariantOf<Tag, V>);
    },
  };
}

type VariantOf<Tag extends string, V> = {
  [K in keyof V]: V[K] extends Reader<infer T> ? T & Readonly<Record<Tag, K>> : never;
}[keyof V];

/** An array of at least one and at most `most` of the same. */
export function list<T>(item: Reader<T>, what: string, most: number): Reader<readonly T[]> {
  return {
    read(value, path, problems) {
      if (!Array.isArray(value)) return refuse(problems, path, value, `an array of ${what}`);
      if (value.length === 0) return refuse(problems, path, value, `at least one of ${what}`);
      if (value.length > most) {
        problems.push({ path, text: `${value.length} entries found, expected at most ${most}` });
        return undefined;
      }
      const before = problems.length;
      const items = value.map((entry, index) => item.read(entry, [...path, index], problems));
      return problems.length === before ? (items as T[]) : undefined;
    },
  };
}

/** One of a few words. */
export function oneOf<const W extends string>(words: readonly W[]): Reader<W> {
  return {
    read(value, path, problems) {
      const found = words.find((word) => word === value);
      return found ?? refuse(problems, path, value, alternatives(words));
    },
  };
}

/** Text that `parse` understands; `parse` gives `undefined` for what it refuses. */
export function text<T>(what: string, parse: (value: string) => T | undefined): Reader<T> {
  return {
    read(value, path, problems) {
      const parsed = typeof value === 'string' ? parse(value) : undefined;
      return parsed ?? refuse(problems, path, value, what);
    },
  };
}

/** A whole number within bounds, both included. */
export function integer(least: number, most: number, what = 'a whole number'): Reader<number> {
  return {
    read(value, path, problems) {
      const fits = typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most;
      return fits ? value : refuse(problems, path, value, `${what}, ${least} to ${most}`);
    },
  };
}

export const flag: Reader<boolean> = {
  read: (value, path, problems) =>
    typeof value === 'boolean' ? value : refuse(problems, path, value, 'true or false'),
};

/** `50ms`, `2s`, `1.5s` or `1m`, as ms. */
export function duration(leastMs: number, mostMs: number): Reader<number> {
  const what = `a duration from ${durationText(leastMs)} to ${durationText(mostMs)}, such as "50ms" or "2s"`;
  return text(what, (value) => {
    const [, number, unit] = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(value) ?? [];
    if (number === undefined || unit === undefined) return undefined;
    const ms = Number(number) * (unit === 'ms' ? 1 : unit === 's' ? 1000 : 60_000);
    return ms >= leastMs && ms <= mostMs ? ms : undefined;
  });
}

function durationText(ms: number): string {
  return ms % 60_000 === 0 ? `${ms / 60_000}m` : ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}

const SIZE_UNITS = { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 } as const;

/**
 * `"64KiB"`, `"1.5MiB"`, `"1GiB"`, or a number of bytes.
 * @param orNone 0 is allowed, whatever the least size
 */
export function size(least: number, most: number, { orNone = false } = {}): Reader<number> {
  const what = `a size from ${sizeText(least)} to ${sizeText(most)}, such as "64KiB" or "1GiB"${orNone ? ', or "0"' : ''}`;
  return {
    read(value, path, problems) {
      const bytes = typeof value === 'string' ? sizeOf(value) : value;
      const isWhole = typeof bytes === 'number' && Number.isInteger(bytes);
      const fits = isWhole && ((orNone && bytes === 0) || (bytes >= least && bytes <= most));
      return fits ? bytes : refuse(problems, path, value, what);
    },
  };
}

function sizeOf(value: string): number | undefined {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(KiB|MiB|GiB)?$/.exec(value) ?? [];
  return number === undefined ? undefined : Math.floor(Number(number) * (unit === undefined ? 1 : unitOf(unit)));
}

function unitOf(name: string): number {
  return SIZE_UNITS[name as keyof typeof SIZE_UNITS];
}

export function sizeText(bytes: number): string {
  const unit = (['GiB', 'MiB', 'KiB'] as const).find((name) => bytes >= unitOf(name) && bytes % unitOf(name) === 0);
  return unit === undefined ? `${bytes}` : `${bytes / unitOf(unit)}${unit}`;
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function refuse(problems: Problem[], path: Path, value: unknown, expected: string): undefined {
  problems.push({ path, text: `${describe(value)} found, expected ${expected}` });
  return undefined;
}

function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (Array.isArray(value)) return value.length === 0 ? 'an empty array' : 'an array';
  if (value instanceof Date) return 'a date';
  return isTable(value) ? 'a table' : String(value);
}

export function alternatives(words: readonly string[]): string {
  const quoted = words.map((word) => JSON.stringify(word));
  const last = quoted.pop() ?? '';
  return quoted.length === 0 ? last : `${quoted.join(', ')} or ${last}`;
}

function unknownKey(key: string, names: readonly string[]): string {
  const near = nearest(key, names);
  return near === undefined ? `unknown key; known here: ${names.join(', ')}` : `unknown key, did you mean "${near}"?`;
}

/** The candidate that `word` is most likely a slip of, if any is near enough: a third of its letters wrong at most. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** Letters to insert, delete, replace or swap with a neighbour (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let cost = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (same ? 0 : 1),
      );
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        cost = Math.min(cost, (beforeLast[column - 2] ?? 0) + 1);
      }
      current.push(cost);
    }
    [beforeLast, last] = [last, current];
  }
  return last[b.length] ?? 0;
}
