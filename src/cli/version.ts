import { readFileSync } from 'node:fs';

/** Of the package; its file lies beside the folder of the bundle. */
export const VERSION = readVersion();

function readVersion(): string {
  const file = new URL('../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
