/** The interface that the primary's traffic is seen on. */
import { BlockList, isIPv6 } from 'node:net';
import type { Config } from '../../daemon/contract';
import { MigwareError } from '../../errors';
import { run, runJson } from '../../takeover/command';
import { readInterface } from '../../takeover/discover';
import { fail, ok, warn } from './finding';
import type { Finding } from './finding';

interface LinkJson {
  readonly ifname?: string;
  readonly flags?: readonly string[];
  readonly addr_info?: readonly { readonly local?: string; readonly prefixlen?: number }[];
}

interface Network {
  /** The host's address in it, with the prefix length. */
  readonly text: string;
  readonly local: string;
  readonly prefix: number;
}

/** `undefined`: there is no such interface, which `wireInterface` says. */
async function readLink(name: string): Promise<{ carrier: boolean; networks: Network[] } | undefined> {
  const all = await runJson<LinkJson[]>('ip', ['-json', 'address', 'show']);
  const found = all.find(({ ifname }) => ifname === name);
  if (found === undefined) return undefined;
  const { flags = [], addr_info = [] } = found;
  const networks = addr_info.flatMap(({ local, prefixlen: prefix }) =>
    local === undefined || prefix === undefined ? [] : [{ text: `${local}/${prefix}`, local, prefix }],
  );
  return { carrier: flags.includes('LOWER_UP'), networks };
}

export async function* wireInterface({ interface: name }: Config): AsyncIterable<Finding> {
  const check = `interface ${name}`;
  try {
    const { up, mac, mtu } = await readInterface(name);
    const { carrier = false } = (await readLink(name)) ?? {};
    if (!up) yield fail(check, 'is down', `ip link set ${name} up`);
    else if (!carrier) yield fail(check, 'has no carrier', 'plug the cable in, or look at the other end of the link');
    else yield ok(check, `up, MAC ${mac}, MTU ${mtu}`);
  } catch (error) {
    if (!(error instanceof MigwareError)) throw error;
    const text = error.message.replace(/^interface \S+: /, '');
    yield fail(check, text, 'correct interface in the configuration');
  }
}

/** The service addresses must be on the segment that the interface is on, and not be this host's own. */
export async function* addresses({ interface: name, services }: Config): AsyncIterable<Finding> {
  const { networks } = (await readLink(name)) ?? {};
  if (networks === undefined) return;
  for (const { name: service, address } of services) {
    const check = `address of ${service}`;
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    const own = networks.filter(({ local }) => isIPv6(local) === isIPv6(address));
    const home = own.find((network) => contains(network, address));
    if (own.some(({ local }) => local === address)) {
      yield fail(
        check,
        `${address} is an address of this host, whose own stack would answer for it`,
        `remove it (ip address del ${address} dev ${name}), or run this on the backup`,
      );
    } else if (own.length === 0) {
      yield warn(
        check,
        `${name} has no ${family === 'ipv6' ? 'IPv6' : 'IPv4'} address, so nothing says that ${address} is on its segment`,
        'the take-over works if it is; the probes need a route to it',
      );
    } else if (home === undefined) {
      yield fail(
        check,
        `${address} is on no network of ${name} (${own.map(({ text }) => text).join(', ')})`,
        'a service address can only be taken on its own segment: correct address or interface',
      );
    } else {
      yield ok(check, `${address} is on the network of ${name} (${home.text})`);
    }
  }
}

function contains({ local, prefix }: Network, address: string): boolean {
  const family = isIPv6(local) ? 'ipv6' : 'ipv4';
  const network = new BlockList();
  network.addSubnet(local, prefix, family);
  return network.check(address, family);
}

/** Beside the features it has the interface's name. */
type FeaturesJson = Readonly<Record<string, { readonly active?: boolean } | string | undefined>>;

/** Receive offloads merge frames and replace their checksums; migware switches them off, or takes them as they are. */
export async function* offloads({ interface: name, capture }: Config): AsyncIterable<Finding> {
  const check = `offloads of ${name}`;
  if ((await readLink(name)) === undefined) return;
  let features: FeaturesJson;
  try {
    [features = {}] = JSON.parse(await run('ethtool', ['--json', '-k', name])) as FeaturesJson[];
  } catch (error) {
    if (!(error instanceof MigwareError)) throw error;
    yield warn(check, 'cannot be read', 'captured frames may be merged ones; migware can work with these');
    return;
  }
  const active = ['generic-receive-offload', 'large-receive-offload'].filter((feature) => {
    const state = features[feature];
    return typeof state === 'object' && state.active === true;
  });
  if (active.length === 0) yield ok(check, 'frames are captured as they were on the wire');
  else if (capture.offload) yield ok(check, `${active.join(', ')} on, and left on: frames of up to 64 KiB`);
  else yield ok(check, `${active.join(', ')} on: switched off while the daemon runs`);
}
