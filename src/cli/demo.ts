/** `migware demo`, and the hidden command by which it starts its own parts. */
import { fileURLToPath } from 'node:url';
import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import { runClient } from '../demo/client';
import type { ClientOptions } from '../demo/client';
import { RECOVERIES, runDemo } from '../demo/demo';
import type { OnProgress, Recovery } from '../demo/demo';
import { runObserver } from '../demo/observer';
import type { ObserverOptions } from '../demo/observer';
import { runService } from '../demo/service';
import { EnvironmentError } from '../errors';
import { programs } from './checks/machine';
import { demoText } from './demo-table';
import { EXIT } from './exit';
import { json } from './options';
import { print, printJson } from './output';

interface DemoCommandOptions {
  readonly connections: number;
  readonly recovery: Recovery;
  readonly json?: boolean;
}

const MAX_CONNECTIONS = 2000;

export function registerDemo(program: Command): void {
  program
    .command('demo')
    .description(
      'run a fail-over in network namespaces of this machine: clients push numbers, the cable of the primary is pulled',
    )
    .addOption(
      new Option('--connections <number>', `how many clients push, at most ${MAX_CONNECTIONS}`)
        .argParser(parseConnections)
        .default(200),
    )
    .addOption(
      new Option('--recovery <policy>', 'what the replica is given of a stream: the rest, or all of it')
        .choices(RECOVERIES)
        .default('resume'),
    )
    .addOption(json('print the result as JSON'))
    .action(async ({ connections, recovery, json: asJson = false }: DemoCommandOptions) => {
      await checkEnvironment();
      const progress = new ProgressLine();
      const migware = fileURLToPath(import.meta.url);
      const result = await runDemo({ migware, connections, recovery, onProgress: progress.tell }).finally(progress.end);
      await (asJson ? printJson(result) : print(demoText(result)));
      process.exitCode = result.ok ? EXIT.done : EXIT.failed;
    });
  program
    .command('demo-part <part> <options>', { hidden: true })
    .description('a program of the demo, as the demo starts it on one of its hosts')
    .action(async (part: string, options: string) => runPart(part, JSON.parse(options)));
}

/** The demo is the only one to call it, with the options of that part. */
async function runPart(part: string, options: unknown): Promise<void> {
  switch (part) {
    case 'client':
      return runClient(options as ClientOptions);
    case 'service':
      return runService((options as { port: number }).port);
    case 'observer':
      return runObserver(options as ObserverOptions);
    default:
      throw new InvalidArgumentError(`the demo has no part "${part}"`);
  }
}

function parseConnections(text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : 0;
  if (value >= 1 && value <= MAX_CONNECTIONS) return value;
  throw new InvalidArgumentError(`expected a number from 1 to ${MAX_CONNECTIONS}`);
}

async function checkEnvironment(): Promise<void> {
  if (process.getuid?.() !== 0) {
    throw new EnvironmentError(
      'the demo makes network namespaces, which needs root: run it as root, for example with sudo',
    );
  }
  for await (const { level, text, remedy = '' } of programs()) {
    if (level === 'fail') throw new EnvironmentError(`${text}; ${remedy}`);
  }
}

/** What is going on: on a terminal a line that is written again and again, else a line for each step. */
class ProgressLine {
  private readonly isTerminal = process.stderr.isTTY;

  private last = '';

  readonly tell: OnProgress = (text, isStep) => {
    if (text === this.last) return;
    if (this.isTerminal) process.stderr.write(`\r${CLEAR_LINE}${text}`);
    else if (isStep) process.stderr.write(`${text}\n`);
    this.last = text;
  };

  readonly end = (): void => {
    if (this.isTerminal) process.stderr.write(`\r${CLEAR_LINE}`);
  };
}

/** ECMA-48 EL: erases from the cursor to the end of the line. */
const CLEAR_LINE = '\u001b[K';
