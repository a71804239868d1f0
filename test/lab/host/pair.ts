import type { ExecutionContext } from 'ava';
import { type Host, Network } from '../../../src/demo/network';
import { bundle } from '../../support/bundle';
import { Agent } from './site';

export interface Pair {
  readonly left: Host;
  readonly right: Host;
  /** On the left. */
  readonly sender: Agent;
  /** On the right. */
  readonly receiver: Agent;
}

/** Two hosts with a veth between them, frames up to 64 KiB, and an agent on each. */
export async function openPair(t: ExecutionContext): Promise<Pair> {
  const program = await bundle('test/lab/host/agent.ts');
  const network = new Network();
  t.teardown(network.close);
  const [left, right] = [network.host('left'), network.host('right')];
  for (const host of [left, right]) {
    host.sysctl({ 'net.ipv6.conf.all.disable_ipv6': 1, 'net.ipv6.conf.default.disable_ipv6': 1 });
  }
  network.link(left, 'eth0', right, 'eth0');
  for (const host of [left, right]) host.ip('link set eth0 mtu 65535');
  const agents = [];
  for (const host of [left, right]) {
    const agent = host.start('agent', process.execPath, program);
    await agent.next('ready');
    agents.push(new Agent(agent));
  }
  const [sender, receiver] = agents as [Agent, Agent];
  return { left, right, sender, receiver };
}
