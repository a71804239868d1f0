/** What record.sh runs: the services, their clients, and a tap that loses a frame. */
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const [part, file = ''] = process.argv.slice(2);
if (part === 'serve') serve();
if (part === 'connect') await visit();
if (part === 'lose') lose(file);

function serve() {
  createServer((socket) => {
    let lines = 0;
    socket.on('data', (text) => socket.write(`line ${++lines}: ${text.toString().trim()} noted\n`));
    socket.on('end', () => socket.end('good bye\n'));
    socket.on('error', () => undefined);
  }).listen(7000, '::');
  createServer((socket) => {
    socket.once('data', () => socket.end(Buffer.alloc(24_000, 'All work and no play makes a dull server.\n')));
    socket.on('error', () => undefined);
  }).listen(7001, '::');
}

async function visit() {
  const measures = ['temperature 21.4', 'humidity 48', 'pressure 1013', 'wind 3.2', 'rain 0'];
  await Promise.all([
    ...measures.map((measure, i) => report(i === 4 ? 'fd77::2' : '10.77.0.2', measure, 90 * i, i === 3 ? 5 : 18)),
    download(500),
    download(1700),
  ]);
}

/**
 * @param {string} host
 * @param {string} measure
 * @param {number} afterMs
 * @param {number} times
 */
async function report(host, measure, afterMs, times) {
  await sleep(afterMs);
  const socket = connect({ host, port: 7000, noDelay: true });
  socket.resume();
  for (let i = 0; i < times; i++) {
    socket.write(`${measure} at minute ${i}\n`);
    await sleep(150);
  }
  // The first stays open, as a client would that the server's death finds at work.
  if (afterMs > 0) socket.end();
  else setTimeout(() => socket.destroy(), 400);
}

/** @param {number} afterMs */
async function download(afterMs) {
  await sleep(afterMs);
  const socket = connect({ host: '10.77.0.2', port: 7001 });
  socket.end('GET everything\n');
  socket.resume();
}

/**
 * Takes away one segment with a client's data, as a tap does that is too slow.
 * @param {string} path
 */
function lose(path) {
  const capture = readFileSync(path);
  const kept = [capture.subarray(0, 24)];
  let seen = 0;
  for (let at = 24; at < capture.length;) {
    const length = capture.readUInt32LE(at + 8);
    const record = capture.subarray(at, at + 16 + length);
    const isData = record.includes('wind 3.2 at minute 3');
    if (!isData || ++seen > 1) kept.push(record);
    at += 16 + length;
  }
  writeFileSync(path, Buffer.concat(kept));
}
