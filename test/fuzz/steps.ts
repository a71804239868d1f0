/**
 * Draws what the fuzzer does. Random bytes alone would be refused by the first check, so most frames are almost right:
 * segments between the hosts the core knows, with numbers near each other, then a few bytes changed or cut off.
 */
import { Port } from '../../assembly/abi/codes';
import { SNAPSHOT_RECORD_BYTES } from '../../assembly/abi/layout';
import { asCode } from '../../src/core/names';
import {
  arpFrame,
  echoRequestFrame,
  fragmentHeader,
  hopByHop,
  icmpErrorFrame,
  mss,
  neighborAdvertisementFrame,
  neighborSolicitationFrame,
  sack,
  sackPermitted,
  type TcpOptions,
  tcpFrame,
  tcpOption,
  timestamps,
  windowScale,
} from '../support/frames';
import type { Random } from '../sim/random';
import type { Step } from './rig';
import { SERVICE_PORT, SERVICES } from './setup';
import type { Damage } from './snapshot';

/** Numbers of both ends lie around the wrap. */
const BASE = 0xffff_f000;
const FLAGS = ['S', 'SA', 'A', 'A', 'PA', 'A', 'FA', 'R', 'RA', 'FPA', 'SEC', 'UA', '', 'SF', 'FSRPAU'] as const;

export function drawStep(random: Random): Step {
  if (random.chance(0.04)) return { kind: 'tick', elapsedMs: random.pick([0, 5, 100, 1000, 60_000]) };
  const service = random.int(0, SERVICES.length - 1);
  if (random.chance(0.01)) return { kind: 'state', service, state: asCode(random.int(0, 2)) };
  if (random.chance(0.01)) return { kind: 'quarantine', service, on: random.chance(0.5) };
  if (random.chance(0.003)) return { kind: 'dismiss', service };
  if (random.chance(0.003)) return { kind: 'announce', service };
  if (random.chance(0.01)) return { kind: 'restart', damage: drawDamage(random) };
  const port = random.chance(0.65) ? Port.Wire : Port.Stack;
  const frame = spoil(random, drawFrame(random, port));
  return { kind: 'frame', port, frame, missing: random.chance(0.03) ? random.pick([1, 1000, 0x7fff_0000]) : 0 };
}

/** None, half of the times: what goes on then has to be all right. */
function drawDamage(random: Random): Damage {
  if (random.chance(0.5)) return { missing: 0, changed: [] };
  const changed = Array.from({ length: random.int(0, 4) }, (): [number, number] => [
    random.int(0, random.pick([52, SNAPSHOT_RECORD_BYTES, 3 * SNAPSHOT_RECORD_BYTES]) - 1),
    random.pick([0, 1, 0x7f, 0x80, 0xff, random.int(0, 255)]),
  ]);
  return { missing: random.pick([0, 0, 0, 1, -1, SNAPSHOT_RECORD_BYTES, -SNAPSHOT_RECORD_BYTES, 100]), changed };
}

function near(random: Random): number {
  return (BASE + random.pick([0, 1, 2, 100, 1000, random.int(0, 8000)])) >>> 0;
}

function drawFrame(random: Random, port: Port): Uint8Array {
  const { address, replica } = random.pick(SERVICES);
  const ipv6 = address.includes(':');
  const client = ipv6 ? 'fd00::9' : '10.0.0.9';
  const segment = (): Uint8Array => tcpFrame(drawSegment(random, port, client, address, replica));
  switch (random.int(0, 12)) {
    case 0:
      return Uint8Array.from({ length: random.int(0, 200) }, () => random.int(0, 255));
    case 1: {
      const [src, dst] = random.chance(0.5) ? [client, address] : [replica, client];
      return icmpErrorFrame({ src, dst, type: ipv6 ? 2 : 3, code: ipv6 ? 0 : 4, rest: random.int(0, 1500) }, segment());
    }
    case 2:
      return echoRequestFrame({ src: client, dst: address });
    case 3:
      if (!ipv6)
        return arpFrame({ senderIp: random.pick([client, address]), targetIp: address, operation: random.int(1, 2) });
      return random.chance(0.5)
        ? neighborSolicitationFrame({ target: address, src: random.pick(['fe80::9', '::']) })
        : neighborAdvertisementFrame({ target: address });
    default:
      return segment();
  }
}

/** A segment of client, primary or replica, between the ports they would use. */
function drawSegment(random: Random, port: Port, client: string, address: string, replica: string): TcpOptions {
  const clientPort = random.int(40000, 40005);
  const mapped = random.int(61000, 61005);
  const ends =
    port === Port.Stack
      ? { src: replica, srcPort: SERVICE_PORT, dst: client, dstPort: clientPort }
      : random.pick([
          { src: client, srcPort: clientPort, dst: address, dstPort: SERVICE_PORT },
          { src: address, srcPort: SERVICE_PORT, dst: client, dstPort: clientPort },
          { src: replica, srcPort: SERVICE_PORT, dst: address, dstPort: mapped },
        ]);
  return {
    ...ends,
    seq: near(random),
    ack: near(random),
    flags: random.pick(FLAGS),
    window: random.pick([0, 1, 100, 65535]),
    options: drawOptions(random),
    payload: new Uint8Array(random.pick([0, 0, 1, 100, 1460, 9000, 60_000])).fill(random.int(0, 255)),
    checksum: random.chance(0.05) ? 'partial' : 'full',
    ...(random.chance(0.1) ? { tags: [{ vid: 5 }] } : {}),
    ...(random.chance(0.05) ? { tags: [{ vid: 5, tpid: 0x88a8 }, { vid: 6 }] } : {}),
    ...(random.chance(0.05) && client.includes(':')
      ? { extensions: [random.pick([hopByHop(), fragmentHeader(0, true)])] }
      : {}),
  };
}

function drawOptions(random: Random): Uint8Array[] {
  const all = [
    mss(random.pick([0, 1, 536, 1460, 65535])),
    windowScale(random.pick([0, 7, 14, 255])),
    sackPermitted(),
    timestamps(near(random), near(random)),
    sack([near(random), near(random)]),
    tcpOption(random.int(0, 255), [0, 0], random.pick([0, 1, 2, 4, 40])),
  ];
  const chosen = all.filter(() => random.chance(0.35));
  // The header has room for 40 bytes of them.
  while (chosen.reduce((length, option) => length + option.length, 0) > 40) chosen.pop();
  return chosen;
}

function spoil(random: Random, frame: Uint8Array): Uint8Array {
  if (random.chance(0.7)) return frame;
  const spoiled = frame.slice(0, random.chance(0.3) ? random.int(0, frame.length) : frame.length);
  for (let n = random.int(0, 4); n > 0 && spoiled.length > 0; n--) {
    spoiled[random.int(0, Math.min(spoiled.length, 100) - 1)] = random.int(0, 255);
  }
  return spoiled;
}
