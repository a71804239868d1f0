/**
 * Golden translations: which frame, in which situation, and why it is worth keeping. The bytes that go in and come out are
 * in golden.json, so that a change of any of them shows in a diff; `npm run test:unit` with MIGWARE_GOLDEN=write makes
 * that file anew.
 */
import { Port } from '../../assembly/abi/codes';
import { Flow, type FlowOptions } from '../support/flow';
import { destinationOptions, nop, sack, tcpOption, timestamps } from '../support/frames';
import { type Build } from '../support/wasm';
import { World, type WorldOptions } from '../support/world';

export interface Recipe {
  readonly name: string;
  readonly port: Port;
  readonly flow: (build: Build) => Flow;
  /** The frame that is translated. */
  readonly frame: (flow: Flow) => Uint8Array;
}

const FULL: FlowOptions = {
  clientOffer: { isn: 0xfffffe00, windowShift: 7, sack: true, tsval: 0x01020304, window: 501 },
  primaryOffer: { isn: 0x7ffffff0, windowShift: 7, sack: true, tsval: 0xfffffff0, window: 502 },
  replicaOffer: { isn: 0xffffffff, windowShift: 9, sack: true, tsval: 0x00000010, window: 600 },
};

function live(options: FlowOptions, world: WorldOptions = {}): (build: Build) => Flow {
  return (build) => {
    const flow = new Flow(new World(build, world), options).established();
    flow.world.now += 100;
    return flow.primary.ack().recovered();
  };
}

const inbound = (flags: string, overrides: (flow: Flow) => Parameters<Flow['frame']>[2]) => (flow: Flow) =>
  flow.frame(flow.client, flags, overrides(flow));
const outbound = (flags: string, overrides: (flow: Flow) => Parameters<Flow['frame']>[2]) => (flow: Flow) =>
  flow.frame(flow.stack, flags, overrides(flow));

const V6: FlowOptions = { ...FULL, client: 'fd00::9' };
const V6_WORLD: WorldOptions = { services: [{ address: 'fd00::2', replica: 'fd00::3' }] };
const REMOTE: WorldOptions = { services: [{ remote: true }] };

export const RECIPES: readonly Recipe[] = [
  {
    name: 'client data with timestamps where Linux puts them',
    port: Port.Wire,
    flow: live(FULL),
    frame: inbound('PA', () => ({ payload: 'GET / HTTP/1.0\r\n\r\n', id: 0x1234, tos: 2 })),
  },
  {
    name: 'client data with timestamps at an odd offset',
    port: Port.Wire,
    flow: live(FULL),
    frame: inbound('PA', (flow) => ({
      payload: 'odd',
      options: [nop(), timestamps(0x01020305, flow.primary.tsval), tcpOption(99, [1, 2, 3])],
    })),
  },
  {
    name: 'client acknowledgement with D-SACK and a SACK block, behind timestamps',
    port: Port.Wire,
    flow: live(FULL),
    frame: inbound('A', (flow) => {
      const server = flow.client.received;
      flow.stack.data(3000);
      return {
        ack: server + 1000,
        options: [
          nop(),
          nop(),
          timestamps(0x01020306, flow.primary.tsval),
          nop(),
          nop(),
          sack([server, server + 500], [server + 2000, server + 3000]),
        ],
      };
    }),
  },
  {
    name: 'client acknowledgement with SACK at an odd offset about the bytes of the primary',
    port: Port.Wire,
    flow: live(FULL),
    frame: inbound('A', (flow) => ({
      options: [nop(), sack([flow.client.received - 30, flow.client.received - 10])],
    })),
  },
  {
    name: 'client data whose checksum is left to local offload',
    port: Port.Wire,
    flow: live(FULL),
    frame: inbound('PA', () => ({ payload: 'partial', checksum: 'partial' })),
  },
  {
    name: 'client data with IP options in two VLAN tags',
    port: Port.Wire,
    flow: live({ ...FULL, tags: [{ vid: 100, tpid: 0x88a8, priority: 5 }, { vid: 7 }] }),
    frame: inbound('PA', () => ({ payload: 'router alert', ipOptions: Uint8Array.of(148, 4, 0, 0) })),
  },
  {
    name: 'client data behind an IPv6 extension header',
    port: Port.Wire,
    flow: live(V6, V6_WORLD),
    frame: inbound('PA', () => ({ payload: 'six', extensions: [destinationOptions(2)] })),
  },
  {
    name: 'client RST without acknowledgement',
    port: Port.Wire,
    flow: live({}),
    frame: inbound('R', () => ({ ack: 0, options: [] })),
  },
  {
    name: '64 KB of the client merged by receive offload, for the local stack',
    port: Port.Wire,
    flow: live(FULL),
    frame: inbound('PA', (flow) => ({ payload: flow.client.pattern(7, 64_000), checksum: 'partial' })),
  },
  {
    name: '64 KB of the client merged by receive offload, for a remote replica of MSS 1460 with timestamps',
    port: Port.Wire,
    flow: live({ ...FULL, remote: true }, REMOTE),
    frame: inbound('PA', (flow) => ({ payload: flow.client.pattern(7, 64_000) })),
  },
  {
    name: 'replica data with timestamps, in another window scale',
    port: Port.Stack,
    flow: live(FULL),
    frame: outbound('PA', () => ({ payload: 'HTTP/1.0 200 OK\r\n\r\n', ttl: 63 })),
  },
  {
    name: 'replica data to a client behind two VLAN tags',
    port: Port.Stack,
    flow: live({ ...FULL, tags: [{ vid: 100, tpid: 0x88a8, priority: 5 }, { vid: 7 }] }),
    frame: outbound('PA', () => ({ payload: 'tagged' })),
  },
  {
    name: '64 KB of the replica, split to the client MSS of 536 with timestamps',
    port: Port.Stack,
    flow: live({ ...FULL, clientOffer: { ...FULL.clientOffer, mss: 536 } }),
    frame: outbound('FPA', (flow) => ({ payload: flow.stack.pattern(9, 64_000) })),
  },
  {
    name: 'replica data without timestamps for a client that agreed to them',
    port: Port.Stack,
    flow: live({ ...FULL, replicaOffer: { isn: 5 } }),
    frame: outbound('PA', () => ({ payload: 'timeless' })),
  },
  {
    name: 'replica FIN over IPv6',
    port: Port.Stack,
    flow: live(V6, V6_WORLD),
    frame: outbound('FA', () => ({})),
  },
];
