/**
 * Seeds that found something, each by name. A scenario is drawn in a fixed order (scenario.ts): what is added to it is
 * drawn last, or these lose their meaning.
 */
import test from 'ava';
import { complaint } from './play';

const FINDINGS: readonly (readonly [seed: number, title: string])[] = [
  [8, 'a primary that said no more than SYN-ACK has left its timestamp'],
  [68, 'a replica whose buffer is smaller than a unit of the window scale gets its bytes'],
  [182, 'a client that only waits learns that its connection is lost'],
  [244, 'timestamps that the tap missed do not make the client drop what follows'],
  [299, 'a replica that speaks before the probe comes loses nothing'],
  [310, 'the RST of a client that has finished does not take unread bytes from the replica'],
  [414, 'the same with a replica on another machine'],
  [510, 'a strict client gets timestamps although the tap missed the SYN-ACK'],
  [522, 'a probe never acknowledges what the replica has just said'],
  [1034, 'a replica that has finished does not reset a client that still reads'],
  [1482, 'a late FIN is acknowledged with the timestamps its sender insists on'],
  [4044, 'a client may use the window that the core has told it'],
  [20059, 'a client whose server told nobody its window scale is not left with a window of a few bytes'],
  [24005, 'a window that closes tells how it is scaled'],
  [100056, 'more handshakes than a small backlog takes are all made in the end'],
];

for (const [seed, title] of FINDINGS) {
  test(title, (t) => {
    t.is(complaint(seed), undefined);
  });
}

test('a seed gives the same run each time', (t) => {
  t.is(complaint(60), complaint(60));
});
