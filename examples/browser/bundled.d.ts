/** What the bundler puts into the script as bytes. */
declare module '*.wasm' {
  const bytes: Uint8Array<ArrayBuffer>;
  export default bytes;
}
declare module '*.pcap' {
  const bytes: Uint8Array<ArrayBuffer>;
  export default bytes;
}
