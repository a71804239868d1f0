/** Unit tests: no root, no network, in parallel. */
import { writeCounts } from './scripts/lib/ava-counts.mjs';

export default {
  files: ['build/test/**/*.test.js', '!build/test/lab/**'],
  // A native addon loads once per process.
  workerThreads: false,
  concurrency: 2,
  // Longest time without any result.
  timeout: '60s',
  nodeArguments: ['--enable-source-maps'],
  nonSemVerExperiments: { observeRunsFromConfig: true },
  observeRun: writeCounts,
};
