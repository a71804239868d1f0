/** How many handshakes a service's listeners can take at a time, as `ss` tells it. */
import { isIPv6 } from 'node:net';

export interface Listener {
  /** `*` for any address. */
  readonly address: string;
  readonly port: number;
  /** Connections that may wait to be accepted. */
  readonly backlog: number;
}

/** The output of `ss -ltnH`: state, waiting now, backlog, local and peer address; a line that is none is passed over. */
export function parseListeners(output: string): Listener[] {
  return output.split('\n').flatMap((line) => {
    const [, backlog, local, port] = /^LISTEN\s+\d+\s+(\d+)\s+(\S+):(\d+)\s/.exec(line) ?? [];
    if (backlog === undefined || local === undefined || port === undefined) return [];
    // `[::1]`, `127.0.0.1%lo`, `[fe80::1]%eth0`
    const [address = ''] = local.replace(/[[\]]/g, '').split('%');
    return [{ address, port: Number(port), backlog: Number(backlog) }];
  });
}

/**
 * The smallest backlog of the listeners that would take a connection to `address` on one of `ports`.
 * @returns `silent` are the ports nobody listens on
 */
export function backlogFor(
  listeners: readonly Listener[],
  address: string,
  ports: readonly number[],
): { backlog: number | undefined; silent: number[] } {
  const accepting = listeners.filter((listener) => accepts(listener.address, address));
  const mine = accepting.filter(({ port }) => ports.includes(port));
  const silent = ports.filter((port) => !accepting.some((listener) => listener.port === port));
  return { backlog: mine.length === 0 ? undefined : Math.min(...mine.map(({ backlog }) => backlog)), silent };
}

/** A listener on any IPv6 address takes IPv4 too, unless it asked not to (then `ss` shows `[::]` and not `*`). */
function accepts(listening: string, address: string): boolean {
  if (listening === '*' || listening === address) return true;
  return listening === (isIPv6(address) ? '::' : '0.0.0.0');
}

/** Half the backlog: the other half is for clients that connect by themselves meanwhile. */
export function handshakeWindow(backlog: number): number {
  return Math.max(1, Math.floor(backlog / 2));
}
