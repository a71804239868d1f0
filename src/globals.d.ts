/** What the host sees of the core's language and of its module. */

/** AssemblyScript's name in assembly/abi, whose files both sides compile. */
declare type u32 = number;

/** esbuild embeds the module's bytes. */
declare module '*.wasm' {
  const bytes: Uint8Array<ArrayBuffer>;
  export default bytes;
}

/** The part of the WebAssembly API that is used. TypeScript has it only among the types of browsers. */
declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array);
    static imports(module: Module): { module: string; name: string; kind: string }[];
    static exports(module: Module): { name: string; kind: string }[];
  }
  class Instance {
    constructor(module: Module, imports: Record<string, never>);
    readonly exports: Record<string, unknown>;
  }
  class Memory {
    readonly buffer: ArrayBuffer;
    /** Adds pages of 64 KiB; every view made before is void afterwards. */
    grow(pages: number): number;
  }
}
