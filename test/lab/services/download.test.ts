/** A download of 200 MB, its client reading at its own pace, whose server dies on the way. */
import { openSync, closeSync, writeSync } from 'node:fs';
import test from 'ava';
import { pattern } from '../pattern';
import { endure } from './failover';
import { nginx } from './http';
import type { RealService, Use } from './real-service';
import { sameFile, succeeds } from './real-service';

const BYTES = 200_000_000;
const PIECE_BYTES = 20_000_000;

const download: Use = async (client) => {
  const file = client.file('large');
  // So that the cut comes somewhere on the way, while bytes flow.
  const curl = client.start('curl', '-sSf', '--limit-rate', '60M', '-o', file, `http://${client.authority}/huge`);
  await client.dies(curl, 'received', BYTES / 4);
  await succeeds(curl);
  sameFile(file, `${client.shared}/huge`);
};

const service: RealService = {
  ...nginx,
  passing: 2 * BYTES,
  prepare: (shared) => {
    nginx.prepare?.(shared);
    const file = openSync(`${shared}/huge`, 'w');
    for (let at = 0; at < BYTES; at += PIECE_BYTES) writeSync(file, pattern(2, at, at + PIECE_BYTES));
    closeSync(file);
  },
};

for (const recovery of ['replay', 'shadow'] as const) {
  test(`nginx, ${recovery}: a download of 200 MB arrives whole`, async (t) => {
    await endure(t, service, { daemon: { recovery }, uses: [download] });
  });
}
