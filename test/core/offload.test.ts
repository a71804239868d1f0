/** Frames that their sender's device had yet to finish: where the core takes them for whole, and where it does not. */
import test from 'ava';
import { Reason } from '../../assembly/abi/codes';
import { pseudoHeader, slowSum } from '../support/checksum';
import { Flow } from '../support/flow';
import { PROTOCOL, type TcpOptions, ipBytes } from '../support/frames';
import { World } from '../support/world';

const BUILDS = ['debug', 'release'] as const;
const CLIENT = '10.0.0.9';
const SERVER = '10.0.0.2';
/** Partial, as systems leave it that count the length of each segment later. */
const WITHOUT_LENGTH = slowSum(pseudoHeader(ipBytes(CLIENT), ipBytes(SERVER), PROTOCOL.tcp, 0));

const UNFINISHED: readonly (readonly [options: TcpOptions, onWire: Reason, inCapture: Reason])[] = [
  [{ checksum: 'partial' }, Reason.None, Reason.None],
  [{ checksum: WITHOUT_LENGTH }, Reason.BadTcpChecksum, Reason.None],
  [{ checksum: 0 }, Reason.BadTcpChecksum, Reason.None],
  [{ checksum: 1 }, Reason.BadTcpChecksum, Reason.BadTcpChecksum],
  [{ ipChecksum: 0 }, Reason.BadIpChecksum, Reason.None],
  [{ ipChecksum: 0, ipOptions: Uint8Array.of(1, 1, 1, 0) }, Reason.BadIpChecksum, Reason.None],
  [{ ipChecksum: 0, checksum: 0 }, Reason.BadIpChecksum, Reason.None],
  [{ ipChecksum: 0, checksum: 1 }, Reason.BadIpChecksum, Reason.BadTcpChecksum],
  [{ ipChecksum: 1 }, Reason.BadIpChecksum, Reason.BadIpChecksum],
  [{ ipLength: 0 }, Reason.None, Reason.None],
  [{ ipLength: 0, ipChecksum: 0, checksum: WITHOUT_LENGTH }, Reason.BadIpChecksum, Reason.None],
];

for (const build of BUILDS) {
  for (const [place, isCapture] of [
    ['on a wire', false],
    ['in a capture', true],
  ] as const) {
    test(`${build}: what a device had yet to finish, ${place}`, (t) => {
      for (const [options, onWire, inCapture] of UNFINISHED) {
        const world = new World(build);
        world.core.exports.trackAll(isCapture ? 1 : 0);
        const flow = new Flow(world, { serverPort: isCapture ? 7001 : 7000, client: CLIENT, server: SERVER });
        const before = flow.established().record().inbound.end;
        flow.client.data(1000, options);
        const expected = isCapture ? inCapture : onWire;
        const title = JSON.stringify(options);
        t.is(world.core.exports.lastReason(), expected, title);
        t.is(flow.record().inbound.end, before + (expected === Reason.None ? 1000 : 0), title);
      }
    });
  }

  test(`${build}: after the captures the wire is trusted no more than before`, (t) => {
    const world = new World(build);
    world.core.exports.trackAll(1);
    world.core.exports.trackAll(0);
    new Flow(world).established().client.data(10, { checksum: 0 });
    t.is(world.core.exports.lastReason(), Reason.BadTcpChecksum);
  });
}
