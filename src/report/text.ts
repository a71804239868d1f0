/** Words and numbers for people. */

/** `1,234,567`, the same on every machine whatever its language. */
export function count(value: number | bigint): string {
  return value.toString().replace(/\B(?=(\d{3})+$)/g, ',');
}

/** `1 connection`, `2 connections` */
export function plural(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? '' : 's'}`;
}

/** `0.2 ms`, `85 ms`, `12.3 s`, `4 min`, `3 h 12 min`, `5 d 3 h`: two or three digits that mean something. */
export function duration(ms: number): string {
  if (ms < 10) return `${trim(ms.toFixed(1))} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${trim((ms / 1000).toFixed(1))} s`;
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 24 ? pair(hours, 'h', minutes % 60, 'min') : pair(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

function pair(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}

function trim(digits: string): string {
  return digits.replace(/\.0$/, '');
}

/** `12 B`, `3.4 KiB`, `128 MiB` */
export function bytes(value: number): string {
  let amount = value;
  for (const unit of ['B', 'KiB', 'MiB']) {
    if (amount < 1024) return `${trim(amount.toFixed(unit === 'B' || amount >= 100 ? 0 : 1))} ${unit}`;
    amount /= 1024;
  }
  return `${trim(amount.toFixed(1))} GiB`;
}
