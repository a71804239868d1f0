import type { Command } from 'commander';
import { inspectionJson, inspectionText } from '../inspect/format';
import { type InspectedCapture, inspectCapture } from '../inspect/inspect';
import { json } from './options';
import { print } from './output';
import { ProgressBar } from './progress-bar';

/** Pieces of output that go to the reader at once; arbitrary. */
const WRITE_CHARACTERS = 65_536;

export function registerInspect(program: Command): void {
  program
    .command('inspect')
    .description('run the connection tracker over a capture: connections, options, holes, recoverability')
    .argument('<file>', 'a capture in pcap or pcapng format')
    .addOption(json('print one object; connections one a line'))
    .action(async (file: string, options: { readonly json?: boolean }) => {
      const capture = inspect(file);
      for (const warning of capture.inspection.warnings) process.stderr.write(`migware: ${file}: ${warning}\n`);
      let pending = '';
      for (const piece of options.json === true ? inspectionJson(capture) : inspectionText(capture)) {
        pending += piece;
        if (pending.length < WRITE_CHARACTERS) continue;
        await print(pending);
        pending = '';
      }
      await print(pending);
    });
}

/** With a progress bar where somebody may see it, whatever becomes of the output. */
function inspect(file: string): InspectedCapture {
  if (!process.stderr.isTTY) return inspectCapture(file);
  const bar = new ProgressBar(process.stderr);
  try {
    return inspectCapture(file, bar.update);
  } finally {
    bar.end();
  }
}
