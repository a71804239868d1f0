/** The release build of the core, embedded in the bundle. */
export { default as coreModule } from '../../build/core.release.wasm';
