/** The part of raw-socket 1.8 that is used; the package has no types. */
declare module 'raw-socket' {
  namespace raw {
    interface Socket {
      readonly wrap: SocketWrap;
      on(event: 'error', listener: (error: Error) => void): this;
      setOption(level: number, option: number, value: Buffer, length: number): void;
      close(): void;
    }
    /** `recv` and `send` throw an Error with the text of strerror() and nothing else. */
    interface SocketWrap {
      /** Emitted when there is something to read; the library's own listener reads one packet. */
      on(event: 'recvReady', listener: () => void): this;
      removeAllListeners(event: 'recvReady'): this;
      recv(buffer: Buffer, callback: (buffer: Buffer, bytes: number, source: string) => void): void;
      send(buffer: Buffer, offset: number, length: number, address: string, callback: (bytes: number) => void): void;
    }
  }
  const raw: {
    readonly AddressFamily: { readonly IPv4: number; readonly IPv6: number };
    readonly Protocol: { readonly ICMP: number; readonly ICMPv6: number };
    readonly SocketLevel: { readonly SOL_SOCKET: number };
    readonly SocketOption: { readonly SO_BINDTODEVICE: number };
    createSocket(options: { readonly addressFamily: number; readonly protocol: number }): raw.Socket;
    createChecksum(buffer: Buffer): number;
    writeChecksum(buffer: Buffer, offset: number, checksum: number): void;
  };
  export default raw;
}
