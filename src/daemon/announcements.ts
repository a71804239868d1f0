/**
 * When the segment is told again that a service address is here: at once, a few times soon after for tables that missed
 * it (a lost frame, a switch still learning), then for ever, for machines that come back with an old table.
 */
const AFTER_MS: readonly number[] = [100, 300, 700, 1500, 5000, 10_000, 30_000];
const EVERY_MS = 60_000;

/** @returns the pause before the announcement numbered so, the first after the take-over being 1 */
export function pauseBefore(number: number): number {
  const after = AFTER_MS[number - 1];
  return after === undefined ? EVERY_MS : after - (AFTER_MS[number - 2] ?? 0);
}

/** Repeats the announcement, the first of which the caller has made. @returns how to stop it */
export function repeatAnnouncement(announce: () => void): () => void {
  let timer: NodeJS.Timeout;
  const wait = (number: number) => {
    timer = setTimeout(() => {
      announce();
      wait(number + 1);
    }, pauseBefore(number));
  };
  wait(1);
  return () => clearTimeout(timer);
}
