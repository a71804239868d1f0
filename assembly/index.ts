/**
 * The ABI: what a host may call, and nothing else. Integers in, integers out. See docs/abi.md for the order of calls.
 * Results below 0 are Status: mistakes of the host. Nothing in a packet ever fails a call.
 */
import { Port, Risk, ServiceState, Status } from './abi/codes';
import {
  ABI_VERSION,
  MAX_CONNECTIONS,
  MAX_RECORD_PER_CONNECTION,
  NONE,
  RX_FRAME_BYTES,
  RX_HEADROOM,
} from './abi/layout';
import { clearRefusal, refusal } from './memory/counters';
import { definePort, portMtu } from './memory/ports';
import {
  connectionCapacity,
  connectionsBase as connections,
  COUNTERS,
  layOut,
  pagesFor,
  RX_SLOT,
  SERVICES,
  SERVICE_SCRATCH,
  TX_TABLE,
} from './memory/regions';
import { txCount, txReset } from './memory/transmit';
import { drain, onFrame, setTrackAll } from './pipeline';
import { announceAddress } from './recovery/address';
import { changeQuarantine, changeState, dismissAll } from './recovery/command';
import { exportConnections, exportedUpTo, importConnections } from './recovery/snapshot';
import { onTick, resetTimers } from './recovery/timers';
import { connectionAt } from './tracker/connection';
import { setHashKey } from './tracker/key';
import { activeCount, makeReady } from './tracker/lists';
import { loseRecord } from './tracker/record';
import { recordedBytes, recordsAreTight, resetRetained, retainedBytes } from './tracker/blocks';
import { resetServices, serviceAt, serviceCount, takeService } from './tracker/service';
import {
  resetSpill,
  spilledConnection,
  spilledOffset,
  spillNext,
  supply,
  wanted,
  wantedBytes,
  wantedOffset,
} from './tracker/spill';
import { resetTable, usedRecords } from './tracker/table';

export function abiVersion(): u32 {
  return ABI_VERSION;
}

/** Pages of 64 KiB the memory must have before init with these capacities. */
export function pagesNeeded(connections: u32, retainedBytes: u32, recordBytes: u32): u32 {
  return pagesFor(connections, retainedBytes, recordBytes);
}

/**
 * Lays out the memory and starts empty; may be called again to start over. `connections`: records, `retainedBytes`:
 * bytes not yet acknowledged, of all connections, `retainedPerConnection`: of one direction of one of them; `recordBytes`
 * and `recordPerConnection`: the same for the client's bytes from its SYN on, `comparePerConnection`: for the primary's
 * output until the replica's is compared with it, all for services with REPLAY or SHADOW; k0..k3: a random key for the hash.
 */
export function init(
  connections: u32,
  retainedBytes: u32,
  retainedPerConnection: u32,
  recordBytes: u32,
  recordPerConnection: u32,
  comparePerConnection: u32,
  k0: u32,
  k1: u32,
  k2: u32,
  k3: u32,
): i32 {
  if (connections == 0 || connections > MAX_CONNECTIONS) return Status.BadArgument;
  if (recordPerConnection > MAX_RECORD_PER_CONNECTION) return Status.BadArgument;
  if (!layOut(connections, retainedBytes, recordBytes)) return Status.MemoryTooSmall;
  setHashKey(k0, k1, k2, k3);
  resetServices();
  resetTable();
  resetRetained(retainedPerConnection, recordPerConnection, comparePerConnection, recordBytes);
  resetSpill();
  resetTimers();
  setTrackAll(false);
  txReset();
  return Status.Ok;
}

/** MTU and link-layer addresses of a port; see Port. A MAC address aa:bb:cc:dd:ee:ff is hi 0xaabb, lo 0xccddeeff. */
export function setPort(port: u32, mtu: u32, macHi: u32, macLo: u32, peerMacHi: u32, peerMacLo: u32): i32 {
  if (port >= <u32>Port.Count || mtu < 576 || mtu > 65535) return Status.BadArgument;
  definePort(<Port>port, mtu, macHi, macLo, peerMacHi, peerMacLo);
  return Status.Ok;
}

/**
 * Tracks every TCP connection seen on the wire, of no service: for captures, wherever they were made. Frames that their
 * sender's device had yet to finish are taken for whole.
 */
export function trackAll(on: u32): i32 {
  setTrackAll(on != 0);
  return Status.Ok;
}

/** Where the host writes a SERVICE record before addService. */
export function serviceScratch(): u32 {
  return <u32>SERVICE_SCRATCH;
}

/** Takes the record in the scratch; its index. */
export function addService(): i32 {
  if (connectionCapacity == 0) return Status.NotInitialised;
  const i = takeService();
  return i == NONE ? Status.TooManyServices : <i32>i;
}

export function servicesBase(): u32 {
  return <u32>SERVICES;
}

/** Moves a service between its states; Recovery begins to move its connections: call pump for the frames. */
export function setServiceState(service: u32, state: u32, nowMs: u32): i32 {
  if (service >= serviceCount() || state >= <u32>ServiceState.Count) return Status.BadArgument;
  txReset();
  changeState(service, <ServiceState>state, usedRecords(), nowMs);
  return Status.Ok;
}

/** Gives up every connection that the replica serves or is to serve, before the host stops: call pump for the resets. */
export function dismiss(service: u32, nowMs: u32): i32 {
  if (service >= serviceCount()) return Status.BadArgument;
  txReset();
  dismissAll(service, usedRecords(), nowMs);
  return Status.Ok;
}

/** Holds back the RST and FIN of a primary under suspicion, or counts what was held back. */
export function setQuarantine(service: u32, on: u32): i32 {
  if (service >= serviceCount()) return Status.BadArgument;
  changeQuarantine(service, on != 0, usedRecords());
  return Status.Ok;
}

/** Handshakes with the replica that may be unconfirmed at a time: half its listen backlog. */
export function setHandshakeWindow(service: u32, handshakes: u32): i32 {
  if (service >= serviceCount() || handshakes == 0) return Status.BadArgument;
  const s = serviceAt(service);
  s.handshakeWindow = handshakes;
  if (s.inFlight == 0) s.pace = handshakes;
  return Status.Ok;
}

/** The MAC address of a remote replica, once the host has resolved it. */
export function setReplicaMac(service: u32, hi: u32, lo: u32): i32 {
  if (service >= serviceCount()) return Status.BadArgument;
  const at = serviceAt(service).replicaMacPtr;
  store<u16>(at, bswap<u16>(<u16>hi));
  store<u32>(at, bswap<u32>(lo), 2);
  return Status.Ok;
}

/** Where the host captures one frame: RX_FRAME_BYTES of room, RX_HEADROOM before it that the core may use. */
export function rxSlot(): u32 {
  return <u32>RX_SLOT;
}

/** What became of the last frame, before anything was sent for it. */
let verdict: i32 = 0;

/** One frame in the slot: `length` captured bytes of `wireLength`. The number of frames to send. */
export function receive(port: u32, length: u32, wireLength: u32, nowMs: u32): i32 {
  if (port >= <u32>Port.Count || length > RX_FRAME_BYTES) return Status.BadArgument;
  if (connectionCapacity == 0) return Status.NotInitialised;
  clearRefusal();
  onFrame(<Port>port, length, wireLength, nowMs);
  verdict = <i32>refusal;
  drain(nowMs);
  return txCount();
}

/** The Reason for which the frame last received moved nothing, or not all that it says; None: it was accepted. */
export function lastReason(): i32 {
  return verdict;
}

/** More frames to send, after the last ones were: call until 0. */
export function pump(nowMs: u32): i32 {
  txReset();
  drain(nowMs);
  return txCount();
}

/** Timers. The number of frames to send. */
export function tick(nowMs: u32): i32 {
  if (connectionCapacity == 0) return Status.NotInitialised;
  txReset();
  onTick(nowMs);
  drain(nowMs);
  return txCount();
}

/** Frames that tell the segment that the service address is here now. */
export function announce(service: u32): i32 {
  if (service >= serviceCount()) return Status.BadArgument;
  if (portMtu(Port.Wire) == 0) return Status.NotInitialised;
  txReset();
  announceAddress(serviceAt(service));
  return txCount();
}

export function txTable(): u32 {
  return <u32>TX_TABLE;
}

export function countersBase(): u32 {
  return <u32>COUNTERS;
}

export function connectionsBase(): u32 {
  return <u32>connections;
}

/** Records 0 .. n-1 may be in use. */
export function connectionsUsed(): u32 {
  return usedRecords();
}

/** Bytes of the store in use. */
export function retainedUsed(): u32 {
  return retainedBytes();
}

/** Of these, bytes of records and of output to compare. */
export function recordedUsed(): u32 {
  return recordedBytes();
}

// --- records that outgrow the memory: see tracker/spill.ts ---------------------------------------------------------

/**
 * Puts the oldest bytes of some record into the receive slot when memory is tight. Their number: to be kept by the host,
 * which answers for them from now on, and to be called again, until 0.
 */
export function spill(): u32 {
  return spillNext();
}

/** Of which connection these were, and from which offset in the client's stream on. */
export function spillConnection(): u32 {
  return spilledConnection;
}

export function spillOffset(): u32 {
  return spilledOffset;
}

/** The host could not keep what it was handed, or has lost it. */
export function spillFailed(connection: u32): i32 {
  if (connection >= usedRecords()) return Status.BadArgument;
  loseRecord(connectionAt(connection), Risk.RecordBudget, 0, 0);
  return Status.Ok;
}

/** A connection that waits for bytes the host keeps, or NONE. To be asked between frames while working() is not 0. */
export function wantedConnection(): u32 {
  return wanted();
}

/** From which offset of its client's stream on, and how many the slot takes. */
export function wantedFrom(connection: u32): u32 {
  return connection < usedRecords() ? wantedOffset(connectionAt(connection)) : 0;
}

export function wantedLength(connection: u32): u32 {
  return connection < usedRecords() ? wantedBytes(connectionAt(connection)) : 0;
}

/** Takes `length` of these bytes from the receive slot. The number of frames to send. */
export function supplyWanted(connection: u32, length: u32, nowMs: u32): i32 {
  if (connection >= usedRecords() || length > RX_FRAME_BYTES) return Status.BadArgument;
  txReset();
  supply(connectionAt(connection), length);
  makeReady(connectionAt(connection));
  drain(nowMs);
  return txCount();
}

/** Connections that want tick every few milliseconds: on their way, or being fed. */
export function working(): u32 {
  // Records that are about to fill the memory cannot wait for the slow tick either.
  return activeCount() + (recordsAreTight() ? 1 : 0);
}

/**
 * Writes the live connections from record `first` on into the receive slot, SNAPSHOT_RECORD_BYTES each. The bytes
 * written; go on from exportedTo() until 0.
 */
export function exportLive(first: u32): i32 {
  return <i32>exportConnections(first);
}

export function exportedTo(): u32 {
  return exportedUpTo();
}

/** Takes `length` bytes of such records from the receive slot. The number of connections that go on. */
export function importLive(length: u32, nowMs: u32): i32 {
  if (connectionCapacity == 0) return Status.NotInitialised;
  const taken = importConnections(length, nowMs);
  return taken == NONE ? Status.BadSnapshot : <i32>taken;
}

if (RX_HEADROOM < 8) ERROR('RX_HEADROOM: no room for two tags');
