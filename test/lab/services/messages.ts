/** Publishers, and masters of a field bus. */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Program } from '../../../src/demo/program';
import { PORT } from '../lab';
import type { Client, RealService } from './real-service';
import { MIDDLE_BYTES, TRANSFER_BYTES, contents, digest, equal, exchange, succeeds } from './real-service';

/** They fill a buffer before they write to a pipe. */
const BY_LINE = ['stdbuf', '-oL'] as const;

function publish(client: Client, ...options: string[]): Program {
  const to = ['-h', client.address, '-p', String(PORT), '-t', topic(client), '-i', `publisher${client.index}`];
  return client.start(...BY_LINE, 'mosquitto_pub', '-d', '-q', '1', '-r', ...to, ...options);
}

function topic(client: Client): string {
  return `lab/${client.index}`;
}

/** The broker has the last message: it was told to retain it. */
function retains(client: Client, what: Buffer): void {
  const { host } = client.serving;
  const own = ['-h', '127.0.0.1', '-p', String(PORT), '-t', topic(client), '-C', '1', '-N'];
  equal('the retained message', digest(Buffer.from(host.run('mosquitto_sub', ...own), 'latin1')), digest(what));
}

/** @param count of messages after which it ends */
export function subscribe(client: Client, count: number): Program {
  const from = ['-h', client.address, '-p', String(PORT), '-t', 'lab/news', '-i', 'subscriber', '-q', '1'];
  return client.start(...BY_LINE, 'mosquitto_sub', '-d', '-C', String(count), ...from);
}

export async function publishOnce(client: Client, message: string): Promise<void> {
  const to = ['-h', client.address, '-p', String(PORT), '-t', 'lab/news', '-i', `publisher of ${message}`];
  await succeeds(client.start('mosquitto_pub', '-q', '1', ...to, '-m', message));
}

const acknowledged = (id: number) => new RegExp(`received PUBACK \\(Mid: ${id},`);

export const mosquitto: RealService = {
  name: 'mosquitto_pub',
  crowd: 200,
  ready: /mosquitto version .* running/,
  start: ({ host, directory }) => {
    const file = `${directory}/mosquitto.conf`;
    const log = 'log_dest stderr\nlog_type error\nlog_type information\nlog_type subscribe\n';
    writeFileSync(file, `listener ${PORT}\nallow_anonymous true\npersistence false\n${log}`);
    return host.start('mosquitto', 'mosquitto', '-c', file);
  },
  uses: {
    idle: async (client) => {
      const pub = publish(client, '-l');
      await exchange(pub, 'first', acknowledged(1));
      await client.cut();
      await client.over();
      await exchange(pub, 'second', acknowledged(2));
      await succeeds(pub);
      retains(client, Buffer.from('second'));
    },
    'in the middle of an answer': async (client) => {
      // Each message is answered, and the next ones are on their way then.
      const messages = Array.from({ length: 300 }, (_, index) => `message ${index}`);
      const pub = publish(client, '-l');
      pub.tell(messages.join('\n'));
      await pub.hears(acknowledged(30));
      await client.cut();
      await client.over();
      await pub.hears(acknowledged(messages.length));
      await succeeds(pub);
      retains(client, Buffer.from(messages.at(-1) ?? ''));
    },
    'in the middle of a request': async (client) => {
      const file = client.file('message');
      const message = Buffer.from(contents(client, TRANSFER_BYTES / 2).toString('hex'));
      writeFileSync(file, message);
      const pub = publish(client, '-f', file);
      await client.dies(pub, 'sent', MIDDLE_BYTES);
      await succeeds(pub);
      retains(client, message);
    },
  },
};

/** Built beside the tests. */
const programOf = (name: string) => resolve(`build/test/lab/services/${name}.program.js`);

/** Three registers of its own for each client. */
const register = (client: Client) => 10 * client.index;

async function master(client: Client): Promise<Program> {
  const program = client.start(process.execPath, programOf('modbus-master'), client.address, String(PORT));
  await program.hears(/^connected$/);
  return program;
}

export const modbus: RealService = {
  name: 'modbus-serial',
  crowd: 200,
  ready: /^serving$/,
  start: ({ host }) => host.start('modbus', process.execPath, programOf('modbus-slave'), String(PORT)),
  uses: {
    idle: async (client) => {
      const program = await master(client);
      await exchange(
        program,
        `write ${register(client)} 7 8 ${client.index}`,
        new RegExp(`^wrote ${register(client)}$`),
      );
      await client.cut();
      await client.over();
      await exchange(program, `read ${register(client)} 3`, new RegExp(`^read 7 8 ${client.index}$`));
      await succeeds(program);
    },
    'in the middle of an answer': async (client) => {
      // One question after the other, for as long as it takes; each reads what the one before it has written.
      const program = await master(client);
      const progress = { isOver: false };
      const over = client
        .cut()
        .then(async () => client.over())
        .then(() => (progress.isOver = true));
      for (let round = 1; !progress.isOver; round++) {
        program.tell(`write ${register(client)} ${round}`);
        await exchange(program, `read ${register(client)} 1`, new RegExp(`^read ${round}$`));
      }
      await over;
      await succeeds(program);
    },
    'in the middle of a request': async (client) => {
      const program = await master(client);
      await exchange(
        program,
        `write ${register(client)} 1 2 ${client.index}`,
        new RegExp(`^wrote ${register(client)}$`),
      );
      await client.cut();
      // Nobody is there to take it.
      program.tell(`write ${register(client)} 3`);
      await client.over();
      await exchange(program, `read ${register(client)} 3`, new RegExp(`^read 3 2 ${client.index}$`));
      await succeeds(program);
    },
  },
};
