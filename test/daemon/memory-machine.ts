/** A machine of memory for the daemon: its ports are in the test's hands, and nothing of the system is touched. */
import type { Config } from '../../src/daemon/contract';
import type { Machine, OpenPort } from '../../src/daemon/machine';
import { MemoryPort } from '../../src/sniffer/memory-port';

export const WIRE_MAC = Uint8Array.of(2, 0, 0, 0, 0, 3);
export const GATEWAY_MAC = Uint8Array.of(2, 0x6d, 0x77, 0, 0, 1);
export const HOST_MAC = Uint8Array.of(2, 0, 0, 0, 0, 0x10);

export class MemoryMachine implements Machine {
  /** What was asked of it, in order. */
  readonly calls: string[] = [];
  /** Every port opened, the latest last. */
  readonly wires: MemoryPort[] = [];
  readonly stacks: MemoryPort[] = [];
  isLinkUp = true;
  /** Calls that fail, with this message. */
  readonly broken = new Map<string, string>();
  /** What a frame sent to the stack does, besides being kept. */
  onStackFrame: (frame: Uint8Array) => void = () => undefined;

  constructor(private readonly localReplicas: readonly string[]) {}

  get wire(): MemoryPort {
    return last(this.wires);
  }

  get stack(): MemoryPort {
    return last(this.stacks);
  }

  setUp(goOn: boolean): Promise<void> {
    return this.#answer(goOn ? 'setUp, going on' : 'setUp', undefined);
  }

  isLocal({ replica }: Config['services'][number]): boolean {
    return this.localReplicas.includes(replica);
  }

  async openWire(): Promise<OpenPort> {
    await this.#answer('openWire', undefined);
    const port = new MemoryPort({ device: 'eth0', mac: WIRE_MAC });
    this.wires.push(port);
    return { port, mtu: 1500, mac: WIRE_MAC };
  }

  async openStack(): Promise<OpenPort> {
    await this.#answer('openStack', undefined);
    const port: MemoryPort = new MemoryPort({
      device: 'mw1',
      mac: GATEWAY_MAC,
      onSend: (frame) => {
        port.sent.push(frame);
        this.onStackFrame(frame);
      },
    });
    this.stacks.push(port);
    return { port, mtu: 65535, mac: GATEWAY_MAC, peerMac: HOST_MAC };
  }

  linkUp(): boolean {
    return this.isLinkUp;
  }

  replicaMac(): Promise<Uint8Array | undefined> {
    return this.#answer('replicaMac', Uint8Array.of(2, 0, 0, 0, 0, 4));
  }

  backlog(): Promise<{ backlog: number | undefined; silent: number[] }> {
    return this.#answer('backlog', { backlog: 511, silent: [] });
  }

  tearDown(): Promise<void> {
    return this.#answer('tearDown', undefined);
  }

  leave(): Promise<void> {
    return this.#answer('leave', undefined);
  }

  #answer<T>(call: string, value: T): Promise<T> {
    this.calls.push(call);
    const failure = this.broken.get(call);
    return failure === undefined ? Promise.resolve(value) : Promise.reject(new Error(failure));
  }
}

function last<T>(list: readonly T[]): T {
  const item = list.at(-1);
  if (item === undefined) throw new Error('no port was opened');
  return item;
}
