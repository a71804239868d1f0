/** Tables and numbers as Markdown. */
import type { Summary } from './statistics';

/** A number as it is worth telling: three digits. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '-';
  return value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
}

/** `median (min to max)`. */
export function spread({ median, min, max, rounds }: Summary): string {
  return rounds < 2 ? figure(median) : `${figure(median)} (${figure(min)} to ${figure(max)})`;
}

export function percent(share: number): string {
  return Number.isFinite(share) ? `${(share * 100).toFixed(0)} %` : '-';
}

/** Columns are as wide as their widest cell, so that the file can be read as it is. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, at) => Math.max(title.length, ...rows.map((row) => row[at]?.length ?? 0)));
  const line = (cells: readonly string[]) => `| ${widths.map((w, at) => (cells[at] ?? '').padEnd(w)).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}
