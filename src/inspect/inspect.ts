/**
 * The tracker over a capture file: every TCP connection in it, as the daemon's core would have seen it. Time is that of
 * the frames.
 */
import { webcrypto } from 'node:crypto';
import type { ConnectionWatch } from '../core/connection-watch';
import { MAX_CONNECTIONS } from '../core/core';
import { Port } from '../core/names';
import { type NodeCore, loadNodeCore } from '../core/node-core';
import type { OnRead } from './byte-source';
import { CaptureFile } from './capture-file';
import { asEthernet, putAsEthernet } from './link-layer';
import {
  type FrameCounts,
  type InspectedConnection,
  type Inspection,
  connectionReport,
  inspectionReport,
} from './report';
import { VirtualTime } from './virtual-time';

/** Of the shortest TCP segment in a file: the format's own header, IPv4 and TCP headers without options. */
const MIN_SEGMENT_BYTES = 56;
/** Records for the smallest file: room enough for the core's budget of half-open ones, an eighth of them. */
const LEAST_CONNECTIONS = 1024;
/** When the file's size is not known; arbitrary, 90 MB. */
const DEFAULT_CONNECTIONS = 262_144;
/**
 * Records looked at per frame, on average. Arbitrary: less time than the core takes for the frame; with up to as many
 * connections there is a look after each frame.
 */
const LOOKED_AT_PER_FRAME = 64;
/** Less than the 30 s after which the core may drop a record that has ended: none goes without having been seen so. */
const LOOK_EVERY_MS = 10_000;

export interface InspectedCapture {
  readonly inspection: Inspection;
  /** In the order in which they began, or nearly so when there are many. */
  connections(): Generator<InspectedConnection>;
}

/**
 * Reads the whole file. What cannot be read of it is a warning; the connections up to there are reported.
 * @throws CaptureError when it is no capture, or there is none of its frames that can be read
 */
export function inspectCapture(path: string, onRead?: OnRead): InspectedCapture {
  const file = CaptureFile.open(path, onRead);
  try {
    return inspectFile(file);
  } finally {
    file.close();
  }
}

export function inspectFile(file: CaptureFile): InspectedCapture {
  const core = loadNodeCore(
    { connections: capacityFor(file.size), retainedBytes: 0, retainedPerConnectionBytes: 0 },
    webcrypto.getRandomValues(new Uint32Array(4)),
  );
  core.trackAll(true);
  const watch = core.watch();
  const frames = track(file, core, watch);
  return {
    inspection: inspectionReport(file, frames, core.counters()),
    *connections() {
      for (const connection of watch.connections()) yield connectionReport(connection);
    },
  };
}

/** One for each frame that the file can have. */
function capacityFor(fileBytes: number): number {
  if (fileBytes === 0) return DEFAULT_CONNECTIONS;
  return Math.min(MAX_CONNECTIONS, Math.max(LEAST_CONNECTIONS, Math.ceil(fileBytes / MIN_SEGMENT_BYTES)));
}

function track(file: CaptureFile, core: NodeCore, watch: ConnectionWatch): FrameCounts {
  const totals: { -readonly [K in keyof FrameCounts]: FrameCounts[K] } = {
    frames: 0,
    bytes: 0,
    fromMs: undefined,
    toMs: undefined,
  };
  const time = new VirtualTime(core);
  let lookedMs = 0;
  let lookAtFrame = 0;
  for (const { bytes, wireLength, timeMs, linkType } of file.frames()) {
    totals.frames++;
    totals.bytes += wireLength;
    // Frames of several queues may be out of order, and one with a wrong time must not turn the clock back. One without
    // a time is taken to have come with the frame before.
    if (timeMs !== undefined) {
      totals.fromMs ??= timeMs;
      totals.toMs = Math.max(totals.toMs ?? timeMs, timeMs);
    }
    if (linkType.layer === undefined) continue;
    const nowMs = Math.floor((totals.toMs ?? 0) - (totals.fromMs ?? 0));
    if (nowMs - lookedMs >= LOOK_EVERY_MS) {
      watch.look(time.nowMs);
      lookedMs = nowMs;
    }
    time.advance(nowMs);
    const length = putAsEthernet(bytes, linkType.layer, core.rx);
    core.receive(Port.Wire, length, asEthernet(wireLength, linkType.layer.headerBytes), nowMs >>> 0);
    if (totals.frames >= lookAtFrame) {
      watch.look(nowMs);
      lookAtFrame = totals.frames + Math.ceil(core.connectionsUsed() / LOOKED_AT_PER_FRAME);
    }
  }
  watch.look(time.nowMs, true);
  return totals;
}
