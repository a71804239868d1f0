/** `migware`: arguments to a command, its end to an exit code. */
import { endingOf } from './exit';
import { endWithReader, flushOutput } from './output';
import { createProgram } from './program';

endWithReader();
let exitCode: number;
try {
  await createProgram().parseAsync();
  exitCode = Number(process.exitCode ?? 0);
} catch (error) {
  const ending = endingOf(error);
  if (ending.message !== '') process.stderr.write(`${ending.message.replace(/^/gm, 'migware: ')}\n`);
  exitCode = ending.exitCode;
}
// Not left to the event loop: the capture library may hold on to a closed session until it sees one more frame.
await flushOutput();
process.exit(exitCode);
