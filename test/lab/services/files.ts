/** rsync: both sides talk all the time, and each answer depends on what was said before. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { PORT } from '../lab';
import { pattern } from '../pattern';
import type { RealService } from './real-service';
import { MIDDLE_BYTES, TRANSFER_BYTES, contents, exchange, sameFile, succeeds } from './real-service';

export const rsync: RealService = {
  name: 'rsync',
  crowd: 200,
  prepare: (shared) => {
    writeFileSync(`${shared}/large`, pattern(1, 0, TRANSFER_BYTES));
  },
  start: ({ host, directory, shared }) => {
    mkdirSync(`${directory}/upload`);
    const file = `${directory}/rsyncd.conf`;
    const common = 'use chroot = no\nreverse lookup = no\nuid = root\ngid = root\n';
    const modules = `[content]\npath = ${shared}\n[upload]\npath = ${directory}/upload\nread only = no\n`;
    writeFileSync(file, common + modules);
    // It takes a stdin that is a socket, as ours is, for the connection of a client.
    return host.start(
      'rsync',
      'sh',
      '-c',
      `exec rsync --daemon --no-detach --port=${PORT} --config=${file} </dev/null`,
    );
  },
  uses: {
    idle: async (client) => {
      // Greeted by both sides, and asked for nothing yet.
      const nc = client.start('nc.openbsd', client.address, String(PORT));
      await exchange(nc, '@RSYNCD: 31.0', /^@RSYNCD: 3/);
      await client.cut();
      await client.over();
      await exchange(nc, '#list', /^upload\s/);
      await nc.hears(/^@RSYNCD: EXIT$/);
      await succeeds(nc);
    },
    'in the middle of an answer': async (client) => {
      const file = client.file('large');
      const rsync = client.start('rsync', '-a', `rsync://${client.authority}/content/large`, file);
      await client.dies(rsync, 'received', MIDDLE_BYTES);
      await succeeds(rsync);
      sameFile(file, `${client.shared}/large`);
    },
    'in the middle of a request': async (client) => {
      const file = client.file('upload');
      writeFileSync(file, contents(client));
      const to = `upload/${client.index}`;
      const rsync = client.start('rsync', '-a', file, `rsync://${client.authority}/${to}`);
      await client.dies(rsync, 'sent', MIDDLE_BYTES);
      await succeeds(rsync);
      sameFile(`${client.serving.directory}/${to}`, file);
    },
  },
};
