/** Lab tests: root, network namespaces, real TCP stacks; one at a time, since they share the machine's clock and cores. */
import unit from './ava.config.mjs';

export default {
  ...unit,
  files: ['build/test/lab/**/*.test.js'],
  concurrency: 1,
  serial: true,
  timeout: '10m',
};
