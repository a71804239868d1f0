/** A step is repeated only when what it is made from has changed, or when what it makes is gone. */
import { createHash } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { inRoot, say } from './project.mjs';

/**
 * @param {object} step
 * @param {string} step.stamp file that remembers the inputs of the last successful run
 * @param {readonly string[]} step.inputs files; a missing one counts as empty
 * @param {readonly string[]} step.outputs files that the step leaves behind
 * @param {string} [step.extra] anything else that the result depends on
 * @param {() => unknown} action
 */
export async function once({ stamp, inputs, outputs, extra = '' }, action) {
  const digest = createHash('sha256').update(extra);
  for (const input of inputs) {
    digest.update(`\0${input}\0`);
    if (existsSync(inRoot(input))) digest.update(readFileSync(inRoot(input)));
  }
  const wanted = digest.digest('hex');
  const file = inRoot(stamp);
  const done = existsSync(file) && readFileSync(file, 'utf8') === wanted;
  if (done && outputs.every((output) => existsSync(inRoot(output)))) return;
  rmSync(file, { force: true });
  await action();
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, wanted);
}

/**
 * Holds off other scripts that would write the same files. The lock of a script that died is taken over.
 * @template T
 * @param {() => Promise<T>} action
 * @returns {Promise<T>}
 */
export async function locked(action) {
  const lock = inRoot('build/.lock');
  const mine = `${lock}.${process.pid}`;
  mkdirSync(dirname(lock), { recursive: true });
  writeFileSync(mine, `${process.pid}`);
  try {
    for (let told = false; !takeLock(mine, lock); told = true) {
      if (!told) say('waiting for another build of this folder ...');
      await sleep(100);
    }
    try {
      return await action();
    } finally {
      rmSync(lock, { force: true });
    }
  } finally {
    rmSync(mine, { force: true });
  }
}

/**
 * @param {string} mine file with this process's id
 * @param {string} lock
 */
function takeLock(mine, lock) {
  try {
    linkSync(mine, lock); // atomic, and the lock is never seen empty
    return true;
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error;
  }
  if (!holderLives(lock)) rmSync(lock, { force: true });
  return false;
}

/** @param {string} lock */
function holderLives(lock) {
  try {
    process.kill(Number(readFileSync(lock, 'utf8')), 0);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM';
  }
}
