/** The kernel filters of the daemon's ports, on a real interface: what they let through and what not. */
import test from 'ava';
import type { Message } from '../../../src/demo/program';
import { stackFilter, wireFilter } from '../../../src/daemon/capture-filter';
import {
  arpFrame,
  echoRequestFrame,
  ethernet,
  fragmentHeader,
  icmpErrorFrame,
  ipFrame,
  neighborAdvertisementFrame,
  neighborSolicitationFrame,
  tcp,
  tcpFrame,
} from '../../support/frames';
import { concat } from '../../support/checksum';
import { openPair } from './pair';

const [V4, V6, REMOTE] = ['10.77.0.2', 'fd77::2', '10.77.0.4'];
const [OTHER_V4, OTHER_V6] = ['10.77.0.8', 'fd77::8'];
const PROTOCOL_UDP = 17;
const NEXT_SEGMENT = tcp({ src: OTHER_V6, dst: V6 });

const WANTED: Readonly<Record<string, Uint8Array>> = {
  'a segment to the service': tcpFrame({ src: OTHER_V4, dst: V4 }),
  'a segment of the service': tcpFrame({ src: V4, dst: OTHER_V4 }),
  'a tagged segment': tcpFrame({ src: OTHER_V4, dst: V4, tags: [{ vid: 7 }] }),
  'a segment with two tags': tcpFrame({ src: V4, dst: OTHER_V4, tags: [{ vid: 7, tpid: 0x88a8 }, { vid: 8 }] }),
  'a later fragment': ipFrame(
    { src: V4, dst: OTHER_V4, fragmentOffset: 100, dontFragment: false },
    6,
    new Uint8Array(30),
  ),
  'an echo request': echoRequestFrame({ src: OTHER_V4, dst: V4 }),
  'an error about what the service has sent': icmpErrorFrame(
    { src: '10.77.0.1', dst: V4, type: 3, code: 4 },
    tcpFrame({ src: V4, dst: OTHER_V4 }).subarray(14),
  ),
  'who has the service address': arpFrame({ targetIp: V4, senderIp: OTHER_V4 }),
  'the service address is here': arpFrame({ operation: 2, senderIp: V4, targetIp: OTHER_V4 }),
  'tagged ARP': arpFrame({ targetIp: V4, senderIp: OTHER_V4, tags: [{ vid: 7 }] }),
  'an IPv6 segment': tcpFrame({ src: OTHER_V6, dst: V6 }),
  'a tagged IPv6 segment': tcpFrame({ src: V6, dst: OTHER_V6, tags: [{ vid: 7 }] }),
  'an IPv6 fragment': ipFrame({ src: OTHER_V6, dst: V6, extensions: [fragmentHeader(0, true)] }, 6, NEXT_SEGMENT),
  'a neighbour solicitation': neighborSolicitationFrame({ src: OTHER_V6, target: V6 }),
  'a tagged neighbour solicitation': neighborSolicitationFrame({ src: OTHER_V6, target: V6, tags: [{ vid: 7 }] }),
  'a neighbour advertisement': neighborAdvertisementFrame({ src: V6, dst: OTHER_V6, target: V6 }),
  'a segment of the remote replica': tcpFrame({ src: REMOTE, dst: V4 }),
};

const UNWANTED: Readonly<Record<string, Uint8Array>> = {
  'a segment of others': tcpFrame({ src: OTHER_V4, dst: '10.77.0.7' }),
  'a tagged segment of others': tcpFrame({ src: OTHER_V4, dst: '10.77.0.7', tags: [{ vid: 7 }] }),
  'an IPv6 segment of others': tcpFrame({ src: OTHER_V6, dst: 'fd77::7' }),
  'UDP to the service': ipFrame({ src: OTHER_V4, dst: V4 }, PROTOCOL_UDP, new Uint8Array(20)),
  'ARP of others': arpFrame({ targetIp: '10.77.0.7', senderIp: OTHER_V4 }),
  'a segment to the remote replica': tcpFrame({ src: OTHER_V4, dst: REMOTE }),
  'no IP': ethernet({}, 0x88cc, new Uint8Array(46)),
};

interface FramesMessage extends Message {
  readonly frames: readonly { readonly hex: string }[];
}

/** The last frame sent, and let through by every filter here. */
const SENTINEL = tcpFrame({ src: V4, dst: OTHER_V4, payload: 'sentinel' });

test('the wire', async (t) => {
  const { right, sender, receiver } = await openPair(t);
  const filter = wireFilter({ mac: right.mac(), serviceAddresses: [V4, V6, V4], remoteReplicas: [REMOTE] });
  await receiver.ask(`capture eth0 ${filter.replaceAll(' ', '_')}`);
  await sender.ask('capture eth0');
  for (const frame of Object.values({ ...UNWANTED, ...WANTED })) await sender.inject('eth0', frame);
  // Its own frames, as another program on the host would send them.
  await receiver.ask(`injectByOther eth0 ${toHex(fromMac(SENTINEL, right.mac()))}`);
  await sender.inject('eth0', SENTINEL);
  const isLast = ({ frames }: FramesMessage) => frames.some(({ hex }) => hex === toHex(SENTINEL));
  const { frames } = await receiver.program.until<FramesMessage>('frames', 'the sentinel', isLast);
  const seen = frames.slice(0, -1).map(({ hex }) => hex);
  const names = Object.entries({ ...UNWANTED, ...WANTED }).filter(([, frame]) => seen.includes(toHex(frame)));
  t.deepEqual(
    names.map(([name]) => name),
    Object.keys(WANTED),
  );
  t.is(seen.length, Object.keys(WANTED).length);
});

test('the private link', async (t) => {
  const { left, sender, receiver } = await openPair(t);
  const mac = left.mac();
  await receiver.ask(`capture eth0 ${stackFilter(mac).replaceAll(' ', '_')}`);
  await sender.ask('capture eth0');
  const wanted = [
    tcpFrame({ src: V4, dst: OTHER_V4, srcMac: mac }),
    tcpFrame({ src: V6, dst: OTHER_V6, srcMac: mac }),
    icmpErrorFrame(
      { src: V4, dst: OTHER_V4, type: 3, code: 3, srcMac: mac },
      tcpFrame({ src: OTHER_V4, dst: V4 }).subarray(14),
    ),
    icmpErrorFrame(
      { src: V6, dst: OTHER_V6, type: 1, code: 4, srcMac: mac },
      tcpFrame({ src: OTHER_V6, dst: V6 }).subarray(14),
    ),
  ];
  const unwanted = [
    neighborSolicitationFrame({ src: V6, target: OTHER_V6, srcMac: mac }),
    arpFrame({ senderIp: V4, targetIp: OTHER_V4, srcMac: mac }),
    tcpFrame({ src: V4, dst: OTHER_V4, srcMac: '02:6d:77:00:00:01' }),
  ];
  for (const frame of [...unwanted, ...wanted]) await sender.inject('eth0', frame);
  const isLast = ({ frames }: FramesMessage) => frames.some(({ hex }) => hex === toHex(wanted[3]));
  const { frames } = await receiver.program.until<FramesMessage>('frames', 'the last one', isLast);
  t.deepEqual(
    frames.map(({ hex }) => hex),
    wanted.map(toHex),
  );
});

function toHex(frame: Uint8Array | undefined): string {
  return Buffer.from(frame ?? []).toString('hex');
}

function fromMac(frame: Uint8Array, mac: string): Uint8Array {
  return concat(frame.subarray(0, 6), Buffer.from(mac.replaceAll(':', ''), 'hex'), frame.subarray(12));
}
