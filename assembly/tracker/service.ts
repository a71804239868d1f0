/**
 * The record of one service: what the host configured, what it reads back, and the queue of connections that wait
 * for their handshake with the replica. Few (MAX_SERVICES), so they are searched in order.
 */
import { Loss, ServiceState } from '../abi/codes';
import {
  MAX_SERVICES,
  MAX_SERVICE_PORTS,
  NONE,
  SERVICE_BYTES,
  SERVICE_FLAGS,
  SERVICE_DIVERGENCES,
  SERVICE_FLAG_REMOTE,
  SERVICE_FLAG_REPLAY,
  SERVICE_FLAG_SHADOW,
  SERVICE_HALF_OPEN,
  SERVICE_HANDSHAKE_WINDOW,
  SERVICE_HEARD_MS,
  SERVICE_LOSSES,
  SERVICE_MAP_FIRST,
  SERVICE_PORTS,
  SERVICE_PRIMARY_MAC,
  SERVICE_STATE,
  SERVICE_VLAN,
} from '../abi/layout';
import { Ptr, SERVICES, SERVICE_SCRATCH } from '../memory/regions';

@unmanaged
export class Service {
  private address0: u64;
  private address1: u64;
  private replica0: u64;
  private replica1: u64;
  /** MAC address of a remote replica, as it lies in a frame. */
  replicaMacHi: u16;
  private replicaMacLo0: u16;
  private replicaMacLo1: u16;
  portCount: u16;
  /** MAX_SERVICE_PORTS x u16. */
  private ports0: u64;
  private ports1: u64;
  private ports2: u64;
  private ports3: u64;
  private ports4: u64;
  private ports5: u64;
  private ports6: u64;
  private ports7: u64;
  private ports8: u64;
  private ports9: u64;
  private ports10: u64;
  private ports11: u64;
  private ports12: u64;
  private ports13: u64;
  private ports14: u64;
  private ports15: u64;
  flags: u32;
  /** Handshakes that may be unconfirmed at a time. */
  handshakeWindow: u32;
  /** VLAN for announcements, 0 untagged. */
  vlan: u16;
  /** First and last source port towards a remote replica. */
  mapFirst: u16;
  mapLast: u16;
  private pad0: u16;
  /** ServiceState. */
  state: u32;
  tracked: u32;
  recovering: u32;
  recovered: u32;
  proxied: u32;
  lost: u32;
  /** When the primary was last heard on the tap, ms; valid when `heard` is not 0. */
  heardMs: u32;
  heard: u32;
  /** When a client last repeated itself without the primary being heard since, ms; 0: not. */
  unansweredMs: u32;
  private losses0: u32;
  private losses1: u32;
  private losses2: u32;
  private losses3: u32;
  private losses4: u32;
  private losses5: u32;
  private losses6: u32;
  private losses7: u32;
  private losses8: u32;
  private losses9: u32;
  private losses10: u32;
  private losses11: u32;
  private primaryMac0: u32;
  private primaryMac1: u32;
  halfOpen: u32;
  /** Connections whose replica differed from the primary, since start. */
  divergences: u32;
  /** Connections in Phase.Queued, first and last, NONE when empty. */
  queueHead: u32;
  queueTail: u32;
  /** Handshakes begun and not yet confirmed. */
  inFlight: u32;
  /** What `handshakeWindow` has shrunk to after the replica's accept queue overflowed. */
  pace: u32;
  /** Not 0 while the primary is under suspicion. */
  quarantine: u32;
  /** Where the search for a free mapped port begins. */
  mapNext: u32;
  /** When a foreign claim to the address was last contradicted, ms; valid when `defended` is not 0. */
  defendedMs: u32;
  defended: u32;
  /** When `pace` was last halved, ms; valid when `slowed` is not 0. */
  slowedMs: u32;
  slowed: u32;
  private pad2: u32;
  private pad3: u64;
  private pad4: u64;
  private pad5: u64;
  private pad6: u64;
  private pad7: u64;
  private pad8: u64;
  private pad9: u64;

  get addressPtr(): Ptr {
    return changetype<usize>(this);
  }

  get replicaPtr(): Ptr {
    return changetype<usize>(this) + 16;
  }

  get replicaMacPtr(): Ptr {
    return changetype<usize>(this) + 32;
  }

  get primaryMacPtr(): Ptr {
    return changetype<usize>(this) + SERVICE_PRIMARY_MAC;
  }

  get isRemote(): bool {
    return (this.flags & SERVICE_FLAG_REMOTE) != 0;
  }

  /** Whether the replica is given the client's stream from its first byte. */
  get fromFirstByte(): bool {
    return (this.flags & (SERVICE_FLAG_REPLAY | SERVICE_FLAG_SHADOW)) != 0;
  }

  /** Whether it is given it beside the primary. */
  get isShadowed(): bool {
    return (this.flags & SERVICE_FLAG_SHADOW) != 0;
  }

  /** Whether the daemon, not the primary, has the service address. */
  get isTakenOver(): bool {
    return this.state != <u32>ServiceState.Normal;
  }

  hasPort(port: u32): bool {
    const at = changetype<usize>(this) + SERVICE_PORTS;
    const n = <u32>this.portCount;
    for (let i: u32 = 0; i < n; i++) {
      if (<u32>load<u16>(at + (i << 1)) == port) return true;
    }
    return false;
  }

  countLoss(loss: Loss): void {
    this.lost++;
    const at = changetype<usize>(this) + SERVICE_LOSSES + ((<usize>loss) << 2);
    store<u32>(at, load<u32>(at) + 1);
  }
}

/** Arbitrary: half of the smallest backlog in use (128), so that request and accept queue both keep room. */
const DEFAULT_HANDSHAKE_WINDOW: u32 = 64;
/** Ports the Linux default range for local sockets leaves free (net.ipv4.ip_local_port_range ends at 60999). */
const DEFAULT_MAP_FIRST: u16 = 61000;
const DEFAULT_MAP_LAST: u16 = 65535;

let services: u32 = 0;

export function serviceCount(): u32 {
  return services;
}

export function resetServices(): void {
  services = 0;
}

export function serviceAt(index: u32): Service {
  return changetype<Service>(SERVICES + <usize>index * SERVICE_BYTES);
}

/** Takes the record in SERVICE_SCRATCH; its index, or NONE when there is no room or it has no valid port count. */
export function takeService(): u32 {
  const scratch = changetype<Service>(SERVICE_SCRATCH);
  if (services >= MAX_SERVICES) return NONE;
  if (scratch.portCount == 0 || <u32>scratch.portCount > MAX_SERVICE_PORTS) return NONE;
  const s = serviceAt(services);
  memory.copy(changetype<usize>(s), SERVICE_SCRATCH, SERVICE_STATE);
  memory.fill(changetype<usize>(s) + SERVICE_STATE, 0, SERVICE_BYTES - SERVICE_STATE);
  if (s.handshakeWindow == 0) s.handshakeWindow = DEFAULT_HANDSHAKE_WINDOW;
  if (s.mapFirst == 0 || s.mapLast < s.mapFirst) {
    s.mapFirst = DEFAULT_MAP_FIRST;
    s.mapLast = DEFAULT_MAP_LAST;
  }
  s.pace = s.handshakeWindow;
  s.mapNext = <u32>s.mapFirst;
  s.queueHead = NONE;
  s.queueTail = NONE;
  return services++;
}

/** Whether two addresses of 16 bytes are equal. */
export function sameAddress(a: Ptr, b: Ptr): bool {
  return load<u64>(a) == load<u64>(b) && load<u64>(a, 8) == load<u64>(b, 8);
}

/** The service whose address this is, whatever the port; the first one from `from` on, or NONE. */
export function findServiceByAddress(address: Ptr, from: u32): u32 {
  for (let i = from; i < services; i++) {
    if (sameAddress(serviceAt(i).addressPtr, address)) return i;
  }
  return NONE;
}

/** The service that serves this address and port, or NONE. */
export function findService(address: Ptr, port: u32): u32 {
  for (let i: u32 = 0; i < services; i++) {
    const s = serviceAt(i);
    if (sameAddress(s.addressPtr, address) && s.hasPort(port)) return i;
  }
  return NONE;
}

if (offsetof<Service>() != SERVICE_BYTES) ERROR('Service: size');
if (offsetof<Service>('ports0') != SERVICE_PORTS) ERROR('Service: ports');
if (offsetof<Service>('flags') != SERVICE_FLAGS) ERROR('Service: flags');
if (offsetof<Service>('handshakeWindow') != SERVICE_HANDSHAKE_WINDOW) ERROR('Service: handshakeWindow');
if (offsetof<Service>('vlan') != SERVICE_VLAN) ERROR('Service: vlan');
if (offsetof<Service>('mapFirst') != SERVICE_MAP_FIRST) ERROR('Service: mapFirst');
if (offsetof<Service>('state') != SERVICE_STATE) ERROR('Service: state');
if (offsetof<Service>('heardMs') != SERVICE_HEARD_MS) ERROR('Service: heardMs');
if (offsetof<Service>('losses0') != SERVICE_LOSSES) ERROR('Service: losses');
if (offsetof<Service>('primaryMac0') != SERVICE_PRIMARY_MAC) ERROR('Service: primaryMac');
if (offsetof<Service>('divergences') != SERVICE_DIVERGENCES) ERROR('Service: divergences');
if (offsetof<Service>('halfOpen') != SERVICE_HALF_OPEN) ERROR('Service: halfOpen');
