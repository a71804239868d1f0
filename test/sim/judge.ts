/**
 * What must hold after a run. Without faults at the tap and with room in the store, nothing may be lost or doubled and no
 * client may notice; otherwise a connection may be lost, but then its client is told, and a byte is never wrong.
 */
import { Loss } from '../../assembly/abi/codes';
import type { Scenario } from './scenario';
import type { Story, World } from './world';

/** What was found wrong; empty when all is well. */
export function judge(world: World, ended: boolean): string[] {
  const { scenario } = world;
  // The MSS of a connection whose SYNs the tap did not see is not known.
  const sizes = scenario.watchMs === 0 && scenario.tap.loss === 0;
  const findings = world.hosts.flatMap((host) => [...host.damaged, ...(sizes ? host.oversized : [])]);
  for (const story of world.stories) {
    for (const finding of judgeStory(story, world)) {
      findings.push(`conversation ${story.client.conversation.id}: ${finding}`);
    }
  }
  if (world.tooEarly > 0) findings.push(`${world.tooEarly} frames were sent while the primary served`);
  const excused = mayLose(scenario);
  if (!ended && !(excused && world.stories.some(({ client }) => client.error === undefined))) {
    findings.push(`at rest: no, ${world.daemon.working} connections are still being worked on`);
  }
  for (const index of [0, 1]) {
    const { recovering, lost } = world.daemon.service(index);
    if (recovering !== 0) findings.push(`service ${index}: ${recovering} connections still count as recovering`);
    const { divergences } = world.daemon.service(index);
    if (divergences !== 0) findings.push(`service ${index}: ${divergences} replicas are said to differ, none does`);
    if (index === 0 && lost !== 0 && !excused) findings.push(`service 0: ${lost} connections were given up`);
  }
  if (ended && world.daemon.retainedBytes !== 0 && !excused) {
    findings.push(`${world.daemon.retainedBytes} bytes are still retained`);
  }
  return findings;
}

/** Whether the scenario takes from the core what it would need to save every connection. */
export function mayLose({ tap, retainedBytes, retainedPerConnection, watchMs, recovery }: Scenario): boolean {
  if (tap.loss > 0 || retainedBytes < 1 << 20 || retainedPerConnection < 1 << 20 || watchMs > 0) return true;
  if (recovery.policy === 'resume') return false;
  return recovery.recordBytes < 1 << 20 || recovery.recordPerConnection < 1 << 20;
}

function judgeStory(story: Story, world: World): string[] {
  const { scenario } = world;
  const { client, primary, replica } = story;
  const findings: string[] = [];
  for (const [name, application] of Object.entries({ client, primary, replica })) {
    const at = application?.check.mismatch;
    if (at !== undefined) findings.push(`the ${name} read a wrong byte at ${at}`);
  }
  if (isRefused(story)) {
    const told = client.error === 'reset' || client.error === 'refused';
    if (!told && !hasAll(story) && isKnown(story, world))
      findings.push(`the replica refuses it, and its client was not told`);
    return findings;
  }
  if (mayLose(scenario)) return isKnown(story, world) ? [...findings, ...judgeAtRisk(story)] : findings;
  if (client.error !== undefined) findings.push(`its client noticed: ${client.error}`);
  else findings.push(...judgeStreams(story));
  if (replica?.error !== undefined) findings.push(`the replica's application noticed: ${replica.error}`);
  return [...findings, ...judgeBase(story)];
}

/**
 * Nobody can tell a client whose connection was silent for as long as the daemon has watched, and nobody knows of a FIN
 * that was acknowledged before.
 */
function isKnown({ client, clientEnd, openAtFailOver }: Story, { atFailOver, scenario }: World): boolean {
  if (scenario.watchMs > 0 && clientEnd?.state === 'FIN-WAIT-2') return false;
  if (openAtFailOver === undefined) return true;
  return atFailOver.some(({ clientPort }) => clientPort === client.conversation.clientPort);
}

/** Belongs to the service that the replica does not offer. */
function isRefused({ client }: Story): boolean {
  return client.conversation.service !== 0;
}

function hasAll({ client }: Story): boolean {
  return client.ended && client.check.position === client.conversation.down;
}

/** Nothing but silence is forbidden. */
function judgeAtRisk({ client, clientEnd, reasonAtReset }: Story): string[] {
  if (client.error === 'timeout') return [`its client was left to time out`];
  if (client.error === 'reset' && reasonAtReset === '') return [`its client was reset, and nothing says why`];
  if (client.error !== undefined) return [];
  return clientEnd?.isOpen === false ? [] : [`its client still waits (${clientEnd?.state ?? 'not begun'})`];
}

function judgeStreams({ client, clientEnd, primary, replica }: Story): string[] {
  const { up, down } = client.conversation;
  const findings: string[] = [];
  if (client.check.position !== down) findings.push(`its client read ${client.check.position} of ${down} bytes`);
  if (!client.ended) findings.push(`its client was not told the end`);
  if (clientEnd?.isOpen !== false) findings.push(`its client is still ${clientEnd?.state ?? 'not begun'}`);
  const server = replica ?? primary;
  if (server === undefined) return [...findings, `no server saw it`];
  // A connection that was complete but for the last ACK when the primary died has no replica: what counts was acknowledged.
  const read = server.check.position;
  const over = replica === undefined && clientEnd?.sender.finAcked === true;
  if (read !== up && !over) findings.push(`the servers read up to ${read} of ${up} bytes`);
  if (!server.ended && !over) findings.push(`the server was not told the end`);
  return findings;
}

/** The replica begins where the primary's words ended: no byte missing, none doubled. Or it begins at the first one. */
function judgeBase({ client, primaryAcknowledged, primarySent, replica, proxied, copied }: Story): string[] {
  if (replica === undefined || proxied) return [];
  const { up, down } = client.conversation;
  const findings: string[] = [];
  if (copied)
    return replica.base.up === 0 ? [] : [`the replica reads from ${replica.base.up}, not from the first byte`];
  if (replica.base.up !== Math.min(primaryAcknowledged, up)) {
    findings.push(`the replica reads from ${replica.base.up}, the primary had acknowledged ${primaryAcknowledged}`);
  }
  if (Math.min(replica.base.down, down) !== Math.min(primarySent, down)) {
    findings.push(`the replica writes from ${replica.base.down}, the primary had sent ${primarySent}`);
  }
  return findings;
}

/** For messages: the codes of the records given up. */
export function lossNames(world: World): string {
  return world.daemon
    .connections()
    .filter(({ loss }) => loss !== Loss.None)
    .map(({ clientPort, loss }) => `${clientPort - 40000}: ${loss}`)
    .join(', ');
}
