/**
 * What the daemon needs of the machine it runs on. The one implementation is linux-machine.ts; tests have one of
 * memory, without privileges.
 */
import type { PacketPort } from '../sniffer/port';
import type { Config } from './contract';

/** A port as it was opened, and what the core has to know of it. */
export interface OpenPort {
  readonly port: PacketPort;
  /** Bytes of an IP packet at most. */
  readonly mtu: number;
  /** MAC address that the core uses there, and on the private link that of the host's end. */
  readonly mac: Uint8Array;
  readonly peerMac?: Uint8Array | undefined;
}

export interface Machine {
  /**
   * Checks that everything is there, and changes what has to be changed. What an earlier daemon left is undone first,
   * or kept if `goOn` says that connections depend on it.
   * @throws EnvironmentError that says what is missing
   */
  setUp(goOn: boolean): Promise<void>;
  /** Whether the service's replica runs on this machine. Known after `setUp`, and does not change. */
  isLocal(service: Config['services'][number]): boolean;
  openWire(): Promise<OpenPort>;
  /** The private link to the machine's own stack, made anew if it has gone. */
  openStack(): Promise<OpenPort>;
  /** The interface to the primary has a carrier. */
  linkUp(): boolean;
  /** Of a replica on another machine; `undefined` when it does not answer. */
  replicaMac(address: string): Promise<Uint8Array | undefined>;
  /** The smallest backlog of the listeners on these ports, and the ports without one. */
  backlog(address: string, ports: readonly number[]): Promise<{ backlog: number | undefined; silent: number[] }>;
  /** Undoes everything. Ports are closed before. */
  tearDown(): Promise<void>;
  /** Leaves everything for the next daemon. Ports are closed before. */
  leave(): Promise<void>;
}
