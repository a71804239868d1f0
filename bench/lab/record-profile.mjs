/**
 * Preloaded into a Node program: profiles its main thread from start to exit. Node 20 does not allow its own --cpu-prof in
 * NODE_OPTIONS, by which alone a program that others start can be given options.
 */
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';

const file = process.env['MIGWARE_PROFILE'];
if (file !== undefined) {
  const session = new Session();
  session.connect();
  session.post('Profiler.enable');
  // us. The default of 1000 says little about a recovery of 20 ms.
  session.post('Profiler.setSamplingInterval', { interval: 200 });
  session.post('Profiler.start');
  process.once('exit', () => {
    session.post('Profiler.stop', (_error, { profile }) => writeFileSync(file, JSON.stringify(profile)));
  });
}
