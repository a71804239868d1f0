/** Stores that answer from memory, or from what the connection itself has told them. */
import { readFileSync, writeFileSync } from 'node:fs';
import { PORT } from '../lab';
import type { Client, RealService } from './real-service';
import { MIDDLE_BYTES, TRANSFER_BYTES, contents, digest, equal, exchange, succeeds, textLines } from './real-service';

const redisCli = (client: Client) => ['redis-cli', '-h', client.address, '-p', String(PORT)] as const;

export const redis: RealService = {
  name: 'redis',
  crowd: 200,
  ready: /Ready to accept connections/,
  start: ({ host, directory }) => {
    const settings = ['--port', String(PORT), '--save', '', '--dir', directory, '--protected-mode', 'no'];
    return host.start('redis', 'redis-server', ...settings);
  },
  uses: {
    idle: async (client) => {
      const cli = client.start(...redisCli(client));
      const sum = (add: number) =>
        `EVAL "return 'sum ' .. redis.call('INCRBY', KEYS[1], ARGV[1])" 1 sum${client.index} ${add}`;
      await exchange(cli, sum(40), /^sum 40$/);
      await client.cut();
      await client.over();
      await exchange(cli, sum(2), /^sum 42$/);
      await succeeds(cli);
    },
    'in the middle of an answer': async (client) => {
      const file = client.file('answer');
      const letter = String.fromCharCode(97 + (client.index % 26));
      const script = `return string.rep('${letter}', ${TRANSFER_BYTES})`;
      const cli = client.redirect('>', file, ...redisCli(client), 'EVAL', script, '0');
      await client.dies(cli, 'received', MIDDLE_BYTES);
      await succeeds(cli);
      equal('the answer', readFileSync(file, 'latin1'), `${letter.repeat(TRANSFER_BYTES)}\n`);
    },
    'in the middle of a request': async (client) => {
      const file = client.file('argument');
      writeFileSync(file, contents(client));
      const script = "return 'sum ' .. redis.sha1hex(ARGV[1])";
      const cli = client.redirect('<', file, ...redisCli(client), '-x', 'EVAL', script, '0');
      const answer = cli.hears(new RegExp(`^sum ${digest(contents(client), 'sha1')}$`));
      await client.dies(cli, 'sent', MIDDLE_BYTES);
      await answer;
      await succeeds(cli);
    },
  },
};

const memcachedLine = (client: Client) => client.start('nc.openbsd', client.address, String(PORT));

export const memcached: RealService = {
  name: 'memcached',
  crowd: 200,
  start: ({ host }) => {
    const limits = ['-m', '512', '-I', `${4 * TRANSFER_BYTES}`, '-c', '4096'];
    return host.start('memcached', 'memcached', '-u', 'nobody', '-p', String(PORT), ...limits);
  },
  uses: {
    idle: async (client) => {
      const nc = memcachedLine(client);
      const count = `count${client.index}`;
      await exchange(nc, `set ${count} 0 0 2\r\n40\r`, /^STORED\r?$/);
      await exchange(nc, `incr ${count} 1\r`, /^41\r?$/);
      await client.cut();
      await client.over();
      await exchange(nc, `incr ${count} 1\r`, /^42\r?$/);
      nc.tell('quit\r');
      await succeeds(nc);
    },
    'in the middle of an answer': async (client) => {
      const key = `value${client.index}`;
      // The value is said once and asked for many times: a short request and a long answer.
      const value = textLines(client, 8192).join('\n');
      const times = TRANSFER_BYTES / 8192;
      const file = client.file('answer');
      const nc = client.redirect('>', file, 'nc.openbsd', client.address, String(PORT));
      nc.tell(`set ${key} 0 0 ${value.length}\r\n${value}\r`);
      nc.tell(`get ${`${key} `.repeat(times)}\r\nquit\r`);
      await client.dies(nc, 'received', MIDDLE_BYTES);
      await succeeds(nc);
      const item = `VALUE ${key} 0 ${value.length}\r\n${value}\r\n`;
      equal('the answer', readFileSync(file, 'latin1'), `STORED\r\n${item.repeat(times)}END\r\n`);
    },
    'in the middle of a request': async (client) => {
      const key = `value${client.index}`;
      const lines = textLines(client);
      const value = lines.join('\n');
      const [begin, rest] = [lines.slice(0, lines.length / 4).join('\n'), lines.slice(lines.length / 4).join('\n')];
      const file = client.file('answer');
      const nc = client.redirect('>', file, 'nc.openbsd', client.address, String(PORT));
      nc.tell(`set ${key} 0 0 ${value.length}\r\n${begin}`);
      await client.dies(nc, 'sent', begin.length);
      nc.tell(`${rest}\r\nget ${key}\r\nquit\r`);
      await succeeds(nc);
      equal(
        'the answer',
        readFileSync(file, 'latin1'),
        `STORED\r\nVALUE ${key} 0 ${value.length}\r\n${value}\r\nEND\r\n`,
      );
    },
  },
};
