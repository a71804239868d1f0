/**
 * A second pass of binaryen over what asc has made, with larger limits for inlining. asc's own are for size: it leaves some
 * ten calls on the way of a segment, V8 inlines no function of a module (nor does wasm2c), and each call saves registers,
 * checks the stack and loads the addresses of memory and globals anew. A fifth of the pipeline's time (bench/core).
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

/**
 * Of a function's body, in binaryen's nodes: what is always inlined, what is when it seems worth while, and what has a single
 * caller. Larger ones than 400 nodes make the module half as large again and no faster; with 200, a translated segment
 * takes an eighth longer.
 */
const LIMITS = { always: 30, flexible: 400, oneCaller: 10_000 };

/**
 * @param {string} asc of the installed package: the binaryen it brings along is of the version it is made for
 * @param {string} wasm the module, which is replaced
 * @param {string} [wat] its text, likewise
 */
export async function inlineMore(asc, wasm, wat) {
  const { href } = pathToFileURL(createRequire(asc).resolve('binaryen'));
  const { default: binaryen } = /** @type {typeof import('binaryen')} */ (await import(href));
  const module = binaryen.readBinary(readFileSync(wasm));
  // What asc assumes of every engine, without being asked. The file itself does not say it.
  const { MutableGlobals, SignExt, NontrappingFPToInt, BulkMemory, BulkMemoryOpt } = binaryen.Features;
  module.setFeatures(MutableGlobals | SignExt | NontrappingFPToInt | BulkMemory | BulkMemoryOpt);
  binaryen.setOptimizeLevel(3);
  binaryen.setShrinkLevel(0);
  binaryen.setAllowInliningFunctionsWithLoops(true);
  binaryen.setAlwaysInlineMaxSize(LIMITS.always);
  binaryen.setFlexibleInlineMaxSize(LIMITS.flexible);
  binaryen.setOneCallerInlineMaxSize(LIMITS.oneCaller);
  module.optimize();
  if (!module.validate()) throw new Error(`${wasm}: not valid after inlining`);
  writeFileSync(wasm, module.emitBinary());
  if (wat !== undefined) writeFileSync(wat, module.emitText());
  module.dispose();
}
