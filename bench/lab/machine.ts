/** Where and with what was measured. */
import { execFileSync } from 'node:child_process';
import { cpus, loadavg, release, totalmem } from 'node:os';

export interface Setting {
  /** ISO 8601. */
  readonly date: string;
  readonly commit: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly kernel: string;
  readonly node: string;
  /** Of the minute before: processes that wanted a CPU. What is not ours disturbs. */
  readonly loadBefore: number;
}

export function readSetting(): Setting {
  const models = cpus().map(({ model }) => model.trim());
  return {
    date: new Date().toISOString(),
    commit: readCommit(),
    cpu: models[0] ?? 'unknown',
    cores: models.length,
    memoryBytes: totalmem(),
    kernel: release(),
    node: process.version,
    loadBefore: loadavg()[0] ?? NaN,
  };
}

/** What was built: files that are not part of the build, this benchmark's results for one, do not make it another. */
function readCommit(): string {
  try {
    const git = (...args: string[]) => execFileSync('git', args, { encoding: 'utf8' }).trim();
    const changed = git('status', '--porcelain', '--', 'assembly', 'src', 'package.json', 'package-lock.json');
    return `${git('rev-parse', '--short=12', 'HEAD')}${changed === '' ? '' : ', with changes that are not committed'}`;
  } catch {
    return 'unknown: no repository';
  }
}
