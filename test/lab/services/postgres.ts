/** PostgreSQL, with and without a password. Its sessions have a state: what a replay has to bring back. */
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import type { Program } from '../../../src/demo/program';
import { PORT } from '../lab';
import type { Client, RealService } from './real-service';
import { MIDDLE_BYTES, TRANSFER_BYTES, digest, equal, exchange, succeeds, textLines } from './real-service';

/** It refuses to run as root. */
const AS_POSTGRES = ['--reuid=postgres', '--regid=postgres', '--clear-groups', '--'];
const PASSWORD = 'secret';

/** The newest that is installed. */
function binaries(): string {
  const versions = readdirSync('/usr/lib/postgresql').sort((a, b) => Number(a) - Number(b));
  return `/usr/lib/postgresql/${versions.at(-1) ?? ''}/bin`;
}

/** A database as both instances find it. @param method of authentication */
function initialise(shared: string, method: string): void {
  const directory = `${shared}/postgres`;
  writeFileSync(`${shared}/password`, PASSWORD);
  execFileSync('install', ['-d', '-o', 'postgres', directory]);
  const settings = [
    '--auth',
    method,
    '--pwfile',
    `${shared}/password`,
    '--locale',
    'C',
    '--encoding',
    'UTF8',
    '--no-sync',
  ];
  execFileSync('setpriv', [...AS_POSTGRES, `${binaries()}/initdb`, '-D', directory, ...settings]);
  writeFileSync(`${directory}/pg_hba.conf`, `host all all all ${method}\n`);
}

function postgres(method: string): Omit<RealService, 'name' | 'uses'> {
  return {
    crowd: 200,
    ready: /database system is ready to accept connections/,
    prepare: (shared) => {
      initialise(shared, method);
    },
    start: ({ host, directory, shared }) => {
      const data = `${directory}/postgres`;
      execFileSync('cp', ['-a', `${shared}/postgres`, data]);
      const settings = {
        listen_addresses: '*',
        port: PORT,
        unix_socket_directories: '',
        fsync: 'off',
        shared_buffers: '16MB',
        max_connections: '250',
        autovacuum: 'off',
      };
      const options = Object.entries(settings).flatMap(([key, value]) => ['-c', `${key}=${value}`]);
      return host.start('postgres', 'setpriv', ...AS_POSTGRES, `${binaries()}/postgres`, '-D', data, ...options);
    },
  };
}

/** The program and its first arguments; it ends with an error when a statement does. */
function psql(client: Client): readonly [string, ...string[]] {
  const options = ['-XqAt', '-v', 'ON_ERROR_STOP=1', '-h', client.address, '-p', String(PORT), '-U', 'postgres'];
  return ['env', `PGPASSWORD=${PASSWORD}`, 'psql', ...options, 'postgres'];
}

/** A session with a table of its own. */
interface Session {
  readonly psql: Program;
  /** Adds a number to the table, and is told the sum. */
  readonly add: (number: number, sum: number) => Promise<void>;
}

async function session(client: Client): Promise<Session> {
  const program = client.start(...psql(client));
  program.tell('create temporary table numbers (n int);');
  const add = async (number: number, sum: number) => {
    const statements = `insert into numbers values (${number}); select 'sum ' || sum(n) from numbers;`;
    await exchange(program, statements, new RegExp(`^sum ${sum}$`));
  };
  await add(40, 40);
  return { add, psql: program };
}

/** The sum goes on where it was. */
async function idle(client: Client): Promise<void> {
  const { add, psql: program } = await session(client);
  await client.cut();
  await client.over();
  await add(2, 42);
  await succeeds(program);
}

export const postgresTrust: RealService = {
  ...postgres('trust'),
  name: 'PostgreSQL (trust)',
  uses: {
    idle,
    'in the middle of an answer': async (client) => {
      const rows = Array.from(
        { length: TRANSFER_BYTES / 32 },
        (_, index) => `${client.index} ${digest(Buffer.from(`${index}`), 'md5')}`,
      );
      const query = `copy (select '${client.index} ' || md5(i::text) from generate_series(0, ${rows.length - 1}) i) to stdout`;
      const file = client.file('answer');
      const program = client.redirect('>', file, ...psql(client), '-c', query);
      await client.dies(program, 'received', MIDDLE_BYTES);
      await succeeds(program);
      equal('the answer', readFileSync(file, 'latin1'), `${rows.join('\n')}\n`);
    },
    'in the middle of a request': async (client) => {
      const lines = textLines(client).map((line, index) => `${String(index).padStart(6, '0')} ${line}`);
      const half = lines.length / 2;
      const program = client.start(...psql(client));
      program.tell('create temporary table lines (line text); copy lines from stdin;');
      program.tell(lines.slice(0, half).join('\n'));
      await client.dies(program, 'sent', MIDDLE_BYTES);
      program.tell(`${lines.slice(half).join('\n')}\n\\.`);
      const sum = digest(Buffer.from(lines.join('')), 'md5');
      await exchange(
        program,
        `select 'sum ' || md5(string_agg(line, '' order by line)) from lines;`,
        new RegExp(`^sum ${sum}$`),
      );
      await succeeds(program);
    },
  },
};

/** Its proof of the password contains a number that the server has just made up. */
export const postgresScram: RealService = {
  ...postgres('scram-sha-256'),
  name: 'PostgreSQL (SCRAM)',
  uses: {
    idle,
  },
};
