/**
 * Stands in for ava in the bundles that judge mutants: the tests are collected, for judge.mjs to run them one at a time, over
 * and over, in one process. Only what the core's tests use of ava is here; another assertion fails at once.
 */
import assert from 'node:assert/strict';

/** @typedef {{ title: string, body: (t: typeof assertions) => unknown }} Test */

/** @type {Test[]} */
export const tests = [];

export const assertions = {
  is: (/** @type {unknown} */ actual, /** @type {unknown} */ expected) => {
    if (!Object.is(actual, expected)) assert.fail('is');
  },
  not: (/** @type {unknown} */ actual, /** @type {unknown} */ expected) => {
    if (Object.is(actual, expected)) assert.fail('not');
  },
  true: (/** @type {unknown} */ actual) => assert.equal(actual, true),
  false: (/** @type {unknown} */ actual) => assert.equal(actual, false),
  truthy: (/** @type {unknown} */ actual) => assert.ok(actual),
  falsy: (/** @type {unknown} */ actual) => assert.ok(!actual),
  deepEqual: (/** @type {unknown} */ actual, /** @type {unknown} */ expected) => assert.deepEqual(actual, expected),
  notDeepEqual: (/** @type {unknown} */ actual, /** @type {unknown} */ other) => assert.notDeepEqual(actual, other),
  like: (/** @type {unknown} */ actual, /** @type {unknown} */ expected) => {
    if (!isLike(actual, expected)) assert.fail('like');
  },
  throws: (/** @type {() => unknown} */ action) => assert.throws(action),
  notThrows: (/** @type {() => unknown} */ action) => {
    action();
  },
  fail: () => assert.fail('fail'),
  pass: () => undefined,
  log: () => undefined,
  timeout: () => undefined,
};

/**
 * Whether all that is expected is there, whatever else is.
 * @param {unknown} actual
 * @param {unknown} expected
 * @returns {boolean}
 */
function isLike(actual, expected) {
  if (typeof expected !== 'object' || expected === null) return Object.is(actual, expected);
  if (typeof actual !== 'object' || actual === null) return false;
  if (Array.isArray(expected) && expected.length !== /** @type {unknown[]} */ (actual).length) return false;
  return Object.entries(expected).every(([key, value]) => {
    return isLike(/** @type {Record<string, unknown>} */ (actual)[key], value);
  });
}

/**
 * @param {string} title
 * @param {Test['body']} body
 */
export default function test(title, body) {
  tests.push({ title, body });
}
