/** Networks leave nothing behind, however their process ends. */
import { existsSync, readdirSync } from 'node:fs';
import test from 'ava';
import { Network } from '../../src/demo/network';
import type { Message } from '../../src/demo/program';
import { Program } from '../../src/demo/program';
import { bundle } from '../support/bundle';
import { reached } from './lab';

interface Made extends Message {
  readonly netns: string;
  readonly pid: number;
}

const exists = ({ netns }: Made) => readdirSync('/run/netns').includes(netns);
const runs = ({ pid }: Made) => existsSync(`/proc/${pid}`);

async function makeElsewhere(): Promise<{ agent: Program; made: Made }> {
  const agent = new Program('agent', process.execPath, [await bundle('test/lab/network-agent.ts')]);
  const made = await agent.next<Made>('made');
  return { agent, made };
}

test('a process that is told to end takes its network along', async (t) => {
  const { agent, made } = await makeElsewhere();
  t.true(exists(made));
  agent.kill('SIGTERM');
  t.is(await agent.ended, 'SIGTERM');
  t.false(exists(made));
  await reached('the end of its program', () => !runs(made));
});

test('the network of a process that was killed is removed with the next one, programs included', async (t) => {
  const { agent, made } = await makeElsewhere();
  agent.kill('SIGKILL');
  await agent.ended;
  t.true(exists(made));
  const network = new Network();
  t.teardown(network.close);
  t.false(exists(made));
  await reached('the end of its program', () => !runs(made));
});

test('a closed network is gone, and the networks of others are not', async (t) => {
  const { agent, made } = await makeElsewhere();
  const network = new Network();
  const { netns } = network.host('other');
  network.close();
  t.false(readdirSync('/run/netns').includes(netns));
  t.true(exists(made));
  agent.kill('SIGTERM');
  await agent.ended;
});
