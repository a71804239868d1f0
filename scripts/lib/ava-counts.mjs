/**
 * Writes the counts of an ava run to the file named by MIGWARE_TEST_COUNTS, for scripts/test.mjs to sum up. Ava's own
 * report stays as it is; its TAP output would carry counts too, but ava 7.0.0 dies in it when a test times out.
 */
import { writeFileSync } from 'node:fs';

/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */

/** @param {{ events: AsyncIterable<import('ava/internal').Event> }} run */
export async function writeCounts({ events }) {
  const file = process.env['MIGWARE_TEST_COUNTS'];
  if (file === undefined) return;
  for await (const event of events) {
    if (event.type !== 'stats') continue;
    const { stats } = event;
    /** @type {Counts} */
    const counts = {
      passed: stats.passedTests + stats.passedKnownFailingTests,
      failed:
        stats.failedTests +
        stats.failedHooks +
        stats.timedOutTests +
        stats.internalErrors +
        stats.uncaughtExceptions +
        stats.unhandledRejections,
      skipped: stats.skippedTests + stats.todoTests,
    };
    // Each time, since ava does not wait for observers when it exits.
    writeFileSync(file, JSON.stringify(counts));
  }
}
