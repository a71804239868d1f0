/** The decoder that comes with the pcap package, given the frames that the parser is given. */
import pcap from 'pcap';

interface PacketWithHeader {
  readonly link_type: string;
  /** Seconds, microseconds, captured and whole length, u32 each in the machine's order. */
  readonly header: Buffer;
  readonly buf: Buffer;
}

// Its typings leave the decoders out.
const decodeWith = pcap.decode as { packet: (packet: PacketWithHeader) => { payload: unknown } };

export function decoderRun(frame: Uint8Array): (repetitions: number) => { ns: number } {
  const header = Buffer.alloc(16);
  header.writeUInt32LE(frame.length, 8);
  header.writeUInt32LE(frame.length, 12);
  const packet = { link_type: 'LINKTYPE_ETHERNET', header, buf: Buffer.from(frame) };
  return (repetitions) => {
    const begin = process.hrtime.bigint();
    for (let i = 0; i < repetitions; i++) decodeWith.packet(packet);
    return { ns: Number(process.hrtime.bigint() - begin) };
  };
}
