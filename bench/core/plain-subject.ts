/** The same algorithm in plain TypeScript: objects, a Map, a DataView. */
import { Dir } from '../../assembly/abi/codes';
import { CONNECTION_BYTES } from '../../assembly/abi/layout';
import { patch32At, finish, sum } from './plain/checksum';
import { Connection, keyOf, serviceOf } from './plain/connection';
import { type Packet, parse } from './plain/packet';
import { Pipeline } from './plain/pipeline';
import { track } from './plain/track';
import type { StackPort } from './plain/translate';
import {
  ARENA_BYTES,
  HEADERS_BYTES,
  NOW_MS,
  RING_HEADER,
  RING_STRIDE,
  STACK_MTU,
  type Scene,
  type Step,
  type Subject,
  type Timed,
} from './subject';

/** Behind the arena: headroom, then the frame that is received. */
const SLOT = ARENA_BYTES + 64;
const SLOT_BYTES = 65600;
/** Of a ring's frames: Ethernet and IPv4 without options. */
const TCP_AT = 34;

export class PlainSubject implements Subject {
  readonly name = 'plain';
  readonly bytes = new Uint8Array(SLOT + SLOT_BYTES);
  readonly pipeline: Pipeline;
  readonly connections: Connection[];
  readonly #view = new DataView(this.bytes.buffer);
  readonly #words = new Uint32Array(this.bytes.buffer);
  #ring = 0;
  /** Where the last lookup has ended. */
  #cursor = 0;

  constructor(scene: Scene, link: StackPort['link']) {
    this.bytes.set(scene.arena);
    this.bytes.set(scene.slot, SLOT);
    this.pipeline = new Pipeline(this.bytes, this.#view, { mtu: STACK_MTU, link });
    this.pipeline.services.push(...scene.services.map(serviceOf));
    this.connections = scene.connections.map((image, i) => new Connection(i, image));
    for (const c of this.connections) this.pipeline.connections.set(c.key, c);
    const { fill } = scene;
    if (fill === undefined) return;
    const server = this.#view.getUint32(fill.server + 12);
    const image = new Uint8Array(CONNECTION_BYTES);
    for (let i = 0; i < fill.count; i++) {
      const c = new Connection(this.connections.length + i, image);
      this.pipeline.connections.set(keyOf(clientAddress(i), clientPort(i), server, fill.port, 0), c);
    }
  }

  run(step: Step, args: readonly number[], repetitions: number): Timed {
    const begin = process.hrtime.bigint();
    const result = this.#run(step, args, repetitions);
    return { ns: Number(process.hrtime.bigint() - begin), result: result >>> 0 };
  }

  #run(step: Step, [a = 0, b = 0, c = 0, d = 0, e = 0]: readonly number[], n: number): number {
    switch (step) {
      case 'checksum':
        return this.#checksum(a, b, n);
      case 'patch':
        return this.#patch(a, b, n);
      case 'parse':
        return this.#parse(a, b, n);
      case 'find':
        return this.#find(a, b, c, d, e, n);
      case 'track':
        return this.#track(a, b, c, d, e, n);
      case 'translate':
        return this.#translate(a, b, c, n);
      case 'receive':
        return this.#receive(a, b, n);
      case 'touch':
        throw new Error('there is no memory of its own to touch');
    }
  }

  /** The bytes of the frame that is to be sent. */
  sent(): Uint8Array {
    const frame = this.pipeline.sent.at(-1);
    return frame === undefined ? new Uint8Array(0) : this.bytes.slice(frame.frame, frame.frame + frame.length);
  }

  parse(at: number, length: number, wireLength: number): Packet {
    return parse(this.#view, at, length, wireLength);
  }

  #checksum(at: number, length: number, n: number): number {
    let result = 0;
    for (let i = 0; i < n; i++) {
      const checksum = finish(sum(this.#view, at, length, 0));
      // As a little-endian machine that adds in memory order has it.
      result = ((result << 1) + (((checksum & 255) << 8) | (checksum >> 8))) | 0;
    }
    return result;
  }

  #patch(segment: number, field: number, n: number): number {
    const isOdd = ((field - segment) & 1) !== 0;
    for (let i = 0; i < n; i++) {
      const old = this.#view.getUint32(field);
      this.#view.setUint32(field, this.#view.getUint32(field, true) + 1, true);
      patch32At(this.#view, segment + 16, isOdd, old, this.#view.getUint32(field));
    }
    return this.#view.getUint16(segment + 16, true);
  }

  #parse(at: number, length: number, n: number): number {
    let result = 0;
    for (let i = 0; i < n; i++) {
      const p = parse(this.#view, at, length, length);
      result = (result + p.reason + p.payloadLength) | 0;
    }
    return result;
  }

  #find(server: number, port: number, first: number, count: number, step: number, n: number): number {
    const address = this.#view.getUint32(server + 12);
    // Records before those that were entered in addition.
    const { length } = this.connections;
    let i = this.#cursor % count;
    let result = 0;
    for (let k = 0; k < n; k++) {
      const found = this.pipeline.find(clientAddress(first + i), clientPort(first + i), address, port, 0);
      result = (result + (found === undefined ? 0x7fffffff : found.index - length)) | 0;
      i = (found === undefined ? i : found.index - length) + step;
      if (i >= count) i -= count;
    }
    this.#cursor = i;
    return result;
  }

  #track(index: number, data: number, dataLength: number, ack: number, ackLength: number, n: number): number {
    const c = this.connections[index];
    if (c === undefined) throw new Error(`no connection ${index}`);
    const segment = this.parse(data, dataLength, dataLength);
    const answer = this.parse(ack, ackLength, ackLength);
    let result: number = segment.reason + answer.reason;
    for (let i = 0; i < n; i++) {
      segment.seq = c.inbound.end;
      segment.ack = c.outbound.end;
      result += track(c, Dir.Inbound, segment, i);
      answer.seq = c.outbound.end;
      answer.ack = c.inbound.end;
      result += track(c, Dir.Outbound, answer, i);
    }
    return result;
  }

  #translate(index: number, at: number, length: number, n: number): number {
    const c = this.connections[index];
    const s = this.pipeline.services[c?.service ?? 0];
    if (c === undefined || s === undefined) throw new Error(`no connection ${index}`);
    this.#putHeaders(at);
    const p = this.parse(SLOT, length, length);
    const numbers = {
      seq: (p.seq + c.d1) >>> 0,
      ack: (p.ack + c.d2) >>> 0,
      tsecr: (p.tsecr - c.tsDelta) >>> 0,
      field: p.window,
    };
    let result: number = p.reason;
    for (let i = 0; i < n; i++) {
      this.#putHeaders(at);
      const sent = this.pipeline.translate(c, s, p, numbers);
      if (typeof sent === 'number') result += sent;
      else this.pipeline.sent[0] = sent;
    }
    return result;
  }

  #receive(ring: number, count: number, n: number): number {
    let result = 0;
    for (let i = 0; i < n; i++) {
      const entry = ring + this.#ring * RING_STRIDE;
      const length = this.#view.getUint32(entry, true);
      this.#putHeaders(entry + RING_HEADER);
      result += this.pipeline.receive(SLOT, length, length, NOW_MS);
      const tcp = entry + RING_HEADER + TCP_AT;
      const seqStep = this.#view.getUint32(entry + 8, true);
      const ackStep = this.#view.getUint32(entry + 12, true);
      if (seqStep !== 0) this.#advance(tcp, 4, seqStep);
      if (ackStep !== 0) this.#advance(tcp, 8, ackStep);
      this.#ring = this.#ring + 1 === count ? 0 : this.#ring + 1;
    }
    return result;
  }

  #advance(tcp: number, field: number, step: number): void {
    const old = this.#view.getUint32(tcp + field);
    this.#view.setUint32(tcp + field, old + step);
    patch32At(this.#view, tcp + 16, false, old, this.#view.getUint32(tcp + field));
  }

  #putHeaders(from: number): void {
    this.#words.copyWithin(SLOT / 4, from / 4, (from + HEADERS_BYTES) / 4);
  }
}

function clientAddress(i: number): number {
  return (0x0b000000 + i) >>> 0;
}

function clientPort(i: number): number {
  return (1024 + (i >>> 4)) & 0xffff;
}
