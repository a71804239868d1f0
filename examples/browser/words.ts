/** Numbers in the words of people. */

export function count(value: number): string {
  return value.toLocaleString('en');
}

export function plural(value: number, word: string): string {
  return `${count(value)} ${word}${value === 1 ? '' : 's'}`;
}

export function bytes(value: number): string {
  if (value < 1024) return `${value} B`;
  const unit = value < 1024 ** 2 ? ([1024, 'KiB'] as const) : ([1024 ** 2, 'MiB'] as const);
  return `${(value / unit[0]).toFixed(1)} ${unit[1]}`;
}

export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 120_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  return `${(ms / 60_000).toFixed(1)} min`;
}
