/** Web servers. Their answers carry the time of day: a replay that differs from the original only where the client has it already. */
import { mkdirSync, writeFileSync } from 'node:fs';
import type { Program } from '../../../src/demo/program';
import { PORT } from '../lab';
import { pattern } from '../pattern';
import type { Client, RealService, Use } from './real-service';
import { MIDDLE_BYTES, TRANSFER_BYTES, exchange, sameFile, succeeds } from './real-service';

/** One file for both instances: then what they say about it is the same, but for the date of the answer. */
function prepare(shared: string): void {
  for (const word of ['first', 'second']) writeFileSync(`${shared}/${word}`, `${word}\n`);
  writeFileSync(`${shared}/large`, pattern(1, 0, TRANSFER_BYTES));
}

function connect(client: Client): Program {
  return client.start('nc.openbsd', client.address, String(PORT));
}

/** Lines of a request, each ended by the program that sends them with a line feed. */
function request(file: string, ...fields: string[]): string {
  return [`GET /${file} HTTP/1.1`, 'Host: lab', ...fields].map((line) => `${line}\r`).join('\n');
}

const idle: Use = async (client) => {
  const nc = connect(client);
  await exchange(nc, `${request('first')}\n\r`, /^first$/);
  await client.cut();
  await client.over();
  await exchange(nc, `${request('second', 'Connection: close')}\n\r`, /^second$/);
  await succeeds(nc);
};

const halfARequest: Use = async (client) => {
  const nc = connect(client);
  const half = request('second', 'Connection: close');
  nc.tell(half);
  await client.dies(nc, 'sent', half.length + 1);
  await exchange(nc, '\r', /^second$/);
  await succeeds(nc);
};

const download: Use = async (client) => {
  const file = client.file('large');
  const curl = client.start('curl', '-sSf', '-o', file, `http://${client.authority}/large`);
  await client.dies(curl, 'received', MIDDLE_BYTES);
  await succeeds(curl);
  sameFile(file, `${client.shared}/large`);
};

/** A file that the service is to keep under its own name. */
const upload: Use = async (client) => {
  const file = client.file('upload');
  writeFileSync(file, pattern(1000 + client.index, 0, TRANSFER_BYTES));
  const path = `upload/${client.index}`;
  const args = ['-H', 'Expect:', '-T', file, `http://${client.authority}/${path}`];
  const curl = client.start('curl', '-sSf', ...args);
  await client.dies(curl, 'sent', MIDDLE_BYTES);
  await succeeds(curl);
  sameFile(`${client.serving.directory}/${path}`, file);
};

export const nginx: RealService = {
  name: 'nginx',
  prepare,
  crowd: 200,
  start: ({ host, directory, shared }) => {
    mkdirSync(`${directory}/upload`);
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      (of) => `${of}_temp_path ${directory}/${of};`,
    );
    writeFileSync(
      `${directory}/nginx.conf`,
      `daemon off; master_process off; pid ${directory}/pid; error_log stderr;
      events { worker_connections 1024; }
      http {
        access_log off; ${temporary.join(' ')}
        server {
          listen ${PORT}; listen [::]:${PORT}; root ${shared};
          location /upload/ { root ${directory}; dav_methods PUT; client_max_body_size 0; }
        }
      }`,
    );
    return host.start('nginx', 'nginx', '-p', directory, '-e', 'stderr', '-c', `${directory}/nginx.conf`);
  },
  uses: { idle, 'in the middle of an answer': download, 'in the middle of a request': upload },
};

export const lighttpd: RealService = {
  name: 'lighttpd',
  prepare,
  crowd: 200,
  start: ({ host, directory, shared }) => {
    writeFileSync(
      `${directory}/lighttpd.conf`,
      // A crowd takes longer to come together than the 5 s for which an idle client may stay by default.
      `server.port = ${PORT}\nserver.document-root = "${shared}"\nserver.max-keep-alive-idle = 60\n` +
        `$SERVER["socket"] == "[::]:${PORT}" { }\n`,
    );
    return host.start('lighttpd', 'lighttpd', '-D', '-f', `${directory}/lighttpd.conf`);
  },
  uses: { idle, 'in the middle of an answer': download, 'in the middle of a request': halfARequest },
};
