/** `migware check`: the configuration and what it needs, before the day on which it is needed. */
import { styleText } from 'node:util';
import type { Command } from 'commander';
import { loadConfig } from '../daemon/config';
import type { Config } from '../daemon/contract';
import { daemonFiles } from './checks/daemon';
import type { Check, Finding, Level } from './checks/finding';
import { privileges, programs, routing, tcpOptions } from './checks/machine';
import { primaries, tap } from './checks/primary';
import { recordRoom } from './checks/records';
import { replicas } from './checks/replica';
import { addresses, offloads, wireInterface } from './checks/wire';
import { EXIT } from './exit';
import { json, requiredConfig } from './options';
import type { DaemonOptions } from './options';
import { print, printJson } from './output';

/** In stages: when one of a stage fails, those after it would only repeat the same in other words. */
const STAGES: readonly (readonly Check[])[] = [
  [programs],
  [privileges, wireInterface, addresses, offloads, routing, tcpOptions, daemonFiles, recordRoom, replicas],
  [primaries, tap],
];

/** What makes the last stage pointless. */
const NEEDED_BY_ALL = /^(privileges|programs|interface )/;

export async function* runChecks(config: Config): AsyncGenerator<Finding> {
  for (const stage of STAGES) {
    let blocked = false;
    for (const check of stage) {
      for await (const finding of check(config)) {
        blocked ||= finding.level === 'fail' && NEEDED_BY_ALL.test(finding.check);
        yield finding;
      }
    }
    if (blocked) return;
  }
}

export function registerCheck(program: Command): void {
  program
    .command('check')
    .description('check the configuration and all it needs: privileges, interface, replica, primary')
    .addOption(requiredConfig())
    .addOption(json('print an array of findings as JSON'))
    .action(async ({ config: file = '', json: asJson = false }: DaemonOptions) => {
      const findings: Finding[] = [];
      const tell = async (finding: Finding) => {
        findings.push(finding);
        if (!asJson) await print(findingText(finding));
      };
      const config = loadConfig(file);
      await tell({ level: 'ok', check: 'configuration', text: `${file} is valid` });
      for await (const finding of runChecks(config)) await tell(finding);
      if (asJson) await printJson(findings.map(({ level, check, text, remedy }) => ({ level, check, text, remedy })));
      process.exitCode = exitCodeFor(findings);
    });
}

export function exitCodeFor(findings: readonly Finding[]): number {
  const failures = findings.filter(({ level }) => level === 'fail');
  if (failures.length === 0) return EXIT.done;
  return failures.some(({ elsewhere = false }) => !elsewhere) ? EXIT.environment : EXIT.failed;
}

const COLOURS = { ok: 'green', warn: 'yellow', fail: 'red' } as const satisfies Record<Level, string>;

export function findingText({ level, check, text, remedy }: Finding): string {
  const mark = level.padEnd(4);
  const coloured = process.stdout.isTTY ? styleText(COLOURS[level], mark) : mark;
  return `${coloured}  ${check}: ${text}${remedy === undefined ? '' : `; ${remedy}`}\n`;
}
