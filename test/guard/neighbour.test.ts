/** Frames of the guard against those of the tests' own builder, and what it takes for a claim. */
import test from 'ava';
import { announcementFrames, claimedAddress, probeFrame } from '../../src/guard/neighbour';
import {
  type NeighborOptions,
  arpFrame,
  hex,
  hopByHop,
  icmpFrame,
  ipBytes,
  macBytes,
  neighborAdvertisementFrame,
  neighborSolicitationFrame,
} from '../support/frames';

const OWN = '02:00:00:00:00:0a';
const OTHER = '02:00:00:00:00:0b';
const own = macBytes(OWN);
const V4 = '10.77.0.2';
const V6 = 'fd77::12:3456';

const claim = (frame: Uint8Array): string | undefined => claimedAddress(Buffer.from(frame), own);

test('a probe asks without claiming', (t) => {
  const arp = { srcMac: OWN, dstMac: 'ff:ff:ff:ff:ff:ff', padTo: 60 };
  t.is(hex(probeFrame(V4, own)), hex(arpFrame({ ...arp, senderIp: '0.0.0.0', targetIp: V4 })));
  const nd = { srcMac: OWN, dstMac: '33:33:ff:12:34:56', src: '::', dst: 'ff02::1:ff12:3456' };
  t.is(hex(probeFrame(V6, own)), hex(neighborSolicitationFrame({ ...nd, target: V6 })));
  t.is(claimedAddress(probeFrame(V4, own), macBytes(OTHER)), undefined);
  t.is(claimedAddress(probeFrame(V6, own), macBytes(OTHER)), undefined);
});

test('an announcement is a claim that everybody heeds', (t) => {
  const arp = { srcMac: OWN, dstMac: 'ff:ff:ff:ff:ff:ff', padTo: 60, senderIp: V4, targetIp: V4 };
  t.deepEqual(announcementFrames(V4, own).map(hex), [
    hex(arpFrame(arp)),
    hex(arpFrame({ ...arp, operation: 2, targetMac: 'ff:ff:ff:ff:ff:ff' })),
  ]);
  const nd = { srcMac: OWN, dstMac: '33:33:00:00:00:01', src: V6, dst: 'ff02::1', flags: 0x20000000, linkAddress: OWN };
  t.deepEqual(announcementFrames(V6, own).map(hex), [hex(neighborAdvertisementFrame({ ...nd, target: V6 }))]);
  for (const address of [V4, V6]) {
    for (const frame of announcementFrames(address, own)) t.is(claimedAddress(frame, macBytes(OTHER)), address);
  }
});

test('whoever names an address as its own in ARP holds it', (t) => {
  const request = { srcMac: OTHER, senderIp: V4, targetIp: '10.77.0.9' };
  t.is(claim(arpFrame(request)), V4);
  t.is(claim(arpFrame({ ...request, operation: 2 })), V4);
  t.is(claim(arpFrame({ ...request, padTo: 60 })), V4);
  t.is(claim(arpFrame({ ...request, senderIp: '0.0.0.0', targetIp: V4 })), undefined);
  t.is(claim(arpFrame({ ...request, srcMac: OWN })), undefined);
  t.is(claim(arpFrame({ ...request, senderMac: OWN })), undefined);
});

test('an advertisement, or a solicitation from the address, is a claim to it', (t) => {
  const answer: NeighborOptions = { srcMac: OTHER, src: V6, dst: 'ff02::1', target: V6, linkAddress: OTHER };
  t.is(claim(neighborAdvertisementFrame(answer)), V6);
  // A proxy may advertise from another address.
  t.is(claim(neighborAdvertisementFrame({ ...answer, src: 'fe80::b' })), V6);
  const question = { srcMac: OTHER, src: V6, target: 'fd77::9', linkAddress: OTHER };
  t.is(claim(neighborSolicitationFrame(question)), V6);
  t.is(claim(neighborSolicitationFrame({ srcMac: OTHER, src: '::', target: V6 })), undefined);
  t.is(claim(neighborAdvertisementFrame({ ...answer, srcMac: OWN })), undefined);
});

test('what is not valid is no claim', (t) => {
  const answer: NeighborOptions = { srcMac: OTHER, src: V6, dst: 'ff02::1', target: V6, linkAddress: OTHER };
  const valid = neighborAdvertisementFrame(answer);
  t.is(claim(neighborAdvertisementFrame({ ...answer, ttl: 254 })), undefined);
  const ends = { srcMac: OTHER, src: V6, dst: 'ff02::1', ttl: 255 };
  t.is(claim(icmpFrame({ ...ends, type: 136, code: 1, body: ipBytes(V6) })), undefined);
  t.is(claim(icmpFrame({ ...ends, type: 134, body: ipBytes(V6) })), undefined);
  t.is(claim(icmpFrame({ ...ends, type: 136, body: ipBytes(V6), extensions: [hopByHop()] })), undefined);
  const damaged = valid.slice();
  damaged[70] = 0x55;
  t.is(claim(damaged), undefined);
  const arp = arpFrame({ srcMac: OTHER, senderIp: V4 });
  for (const frame of [valid, arp]) {
    for (let length = 0; length < frame.length; length++) t.is(claim(frame.subarray(0, length)), undefined);
  }
  const tokenRing = arp.slice();
  tokenRing[15] = 6;
  t.is(claim(tokenRing), undefined);
});
