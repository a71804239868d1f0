/** What the host sees of the core's language and of its module. */

/** AssemblyScript's name in assembly/abi, whose files both sides compile. */
declare type u32 = number;

/** esbuild embeds the module's bytes. */
declare module '*.wasm' {
  const bytes: Uint8Array<ArrayBuffer>;
  export default bytes;
}
