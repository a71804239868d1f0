/**
 * What the private link to the local stack assumes of the kernel, proved on the one that runs: src/takeover/stack-link.ts
 * says why each part is there. Segments are forged by hand, so that every answer has its known cause.
 */
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { tcpFrame } from '../../support/frames';
import { STACK_FRAME_BYTES, type StackLink } from '../../../src/takeover/stack-link';
import type { Segment } from './segment';
import { ADDRESSES, type Agent, CLOSED_PORT, SERVICE_PORT, type Site, openSite } from './site';

type RpFilter = 0 | 1 | 2;

interface Rig extends Site {
  readonly agent: Agent;
  readonly stack: StackLink;
}

async function openRig(t: ExecutionContext, rpFilter: RpFilter): Promise<Rig> {
  const site = await openSite(t);
  const { backup, network } = site;
  backup.sysctl({ 'net.ipv4.conf.all.rp_filter': rpFilter, 'net.ipv4.conf.default.rp_filter': rpFilter });
  backup.sysctl({ 'net.ipv4.conf.eth0.rp_filter': rpFilter });
  const agent = await site.startAgent();
  const stateDir = `${network.directory}/state`;
  await agent.ask(`open ${stateDir}`);
  const stack = await agent.setUp(stateDir);
  await agent.ask(`listen ${SERVICE_PORT}`);
  await agent.ask(`capture ${stack.tap} tcp`);
  // Both ways: what the host sends by the wire is what must not be there.
  await agent.ask('capture eth0 tcp');
  return { ...site, agent, stack };
}

/** A client that exists only in the frames injected. */
class Client {
  private seq = 1000;
  private ack = 0;

  constructor(
    private readonly rig: Rig,
    private readonly address: string,
    private readonly replica: string,
    private readonly port: number,
    private readonly destinationPort = SERVICE_PORT,
  ) {}

  get id(): string {
    return `${this.address}/${this.port}`;
  }

  /** Sends a segment; its sequence numbers are the next ones unless told otherwise. */
  async send(flags: string, payload = '', ack = this.ack): Promise<void> {
    const { stack, agent } = this.rig;
    const frame = tcpFrame({
      srcMac: stack.gatewayMac,
      dstMac: stack.hostMac,
      src: this.address,
      dst: this.replica,
      srcPort: this.port,
      dstPort: this.destinationPort,
      seq: this.seq,
      ack: flags.includes('A') ? ack : 0,
      flags,
      payload,
    });
    await agent.inject(stack.tap, frame);
    this.seq += payload.length + (/[SF]/.test(flags) ? 1 : 0);
  }

  /** Sends a segment and waits for an answer with these flags, which has to come out of the private link. */
  async exchange(t: ExecutionContext, flags: string, answer: string, payload = ''): Promise<Segment> {
    const from = await this.mark();
    await this.send(flags, payload);
    return this.expect(t, answer, from);
  }

  async expect(t: ExecutionContext, answer: string, from: number): Promise<Segment> {
    const { agent, stack } = this.rig;
    const isAnswer = (segment: Segment) => this.isToMe(segment) && segment.flags === answer;
    const segment = await agent.segment(`${answer} to ${this.id}`, from, isAnswer);
    t.is(segment.device, stack.tap);
    t.is(segment.destinationMac, stack.gatewayMac);
    this.ack = segment.seq + segment.length + (/[SF]/.test(answer) ? 1 : 0);
    return segment;
  }

  /** How many segments were seen before now. */
  async mark(): Promise<number> {
    await this.rig.agent.look();
    return this.rig.agent.segments.length;
  }

  async open(t: ExecutionContext): Promise<void> {
    const { seq } = await this.exchange(t, 'S', 'SA');
    this.ack = seq + 1;
    await this.send('A');
    await this.exchange(t, 'PA', 'A', 'hello');
    await this.rig.agent.hears(this.id, 'hello');
  }

  isToMe({ destination, destinationPort }: Segment): boolean {
    return destination === this.address && destinationPort === this.port;
  }

  /** Segments of the replica to this client that left by another way. */
  strays(): Segment[] {
    const { agent, stack } = this.rig;
    return agent.segments.filter((segment) => this.isToMe(segment) && segment.device !== stack.tap);
  }
}

const FAMILIES = [4, 6] as const;
let nextPort = 40000;

for (const rpFilter of [0, 1, 2] as const) {
  test(`a moved connection stays on the private link to its end, rp_filter ${rpFilter}`, async (t) => {
    const rig = await openRig(t, rpFilter);
    const { agent } = rig;
    for (const family of FAMILIES) {
      const { replica, client: neighbour, stranger, service } = ADDRESSES[family];
      // A client elsewhere, one on the segment, and the dead primary itself.
      for (const address of [stranger, neighbour, service]) {
        const clientOf = () => new Client(rig, address, replica, nextPort++);

        const ended = clientOf();
        await ended.open(t);
        let from = await ended.mark();
        await agent.ask(`write ${ended.id} 400`);
        await ended.expect(t, 'PA', from);
        // Nothing is acknowledged: it comes again.
        from = await ended.mark();
        await ended.expect(t, 'PA', from);
        await ended.send('A');
        from = await ended.mark();
        await agent.ask(`end ${ended.id}`);
        await ended.expect(t, 'FA', from);
        await ended.send('A');
        await ended.exchange(t, 'FA', 'A');

        const orphaned = clientOf();
        await orphaned.open(t);
        from = await orphaned.mark();
        await agent.ask(`destroy ${orphaned.id}`);
        await orphaned.expect(t, 'FA', from);
        await orphaned.send('A');
        // Nobody is there to read it, which FIN_WAIT_2 without a process says with RST.
        await orphaned.exchange(t, 'PA', 'R', 'too late');

        const reset = clientOf();
        await reset.open(t);
        from = await reset.mark();
        await agent.ask(`reset ${reset.id}`);
        await reset.expect(t, 'RA', from);

        const refused = new Client(rig, address, replica, nextPort++, CLOSED_PORT);
        await refused.exchange(t, 'S', 'RA');

        for (const client of [ended, orphaned, reset, refused]) t.deepEqual(client.strays(), []);
      }
    }
  });
}

test('TIME_WAIT answers a repeated FIN on the private link', async (t) => {
  const rig = await openRig(t, 1);
  for (const family of FAMILIES) {
    const client = new Client(rig, ADDRESSES[family].stranger, ADDRESSES[family].replica, nextPort++);
    await client.open(t);
    const from = await client.mark();
    await rig.agent.ask(`end ${client.id}`);
    await client.expect(t, 'FA', from);
    await client.exchange(t, 'FA', 'A');
    t.regex(rig.backup.run('ss', '-tan', 'state', 'time-wait'), new RegExp(String(nextPort - 1)));
    await client.exchange(t, 'A', 'A', 'beyond the end');
    t.deepEqual(client.strays(), []);
  }
});

test('a handshake answered with a SYN cookie keeps to the private link', async (t) => {
  const rig = await openRig(t, 1);
  rig.backup.sysctl({ 'net.ipv4.tcp_syncookies': 2 });
  for (const family of FAMILIES) {
    const client = new Client(rig, ADDRESSES[family].stranger, ADDRESSES[family].replica, nextPort++);
    await client.open(t);
    const from = await client.mark();
    await rig.agent.ask(`write ${client.id} 100`);
    await client.expect(t, 'PA', from);
    t.deepEqual(client.strays(), []);
  }
  t.regex(rig.backup.run('nstat', '-asz', 'TcpExtSyncookiesRecv'), /SyncookiesRecv\s+2\s/);
});

test('without tcp_fwmark_accept the answer would leave by the wire', async (t) => {
  const rig = await openRig(t, 0);
  rig.backup.sysctl({ 'net.ipv4.tcp_fwmark_accept': 0 });
  for (const family of FAMILIES) {
    const client = new Client(rig, ADDRESSES[family].client, ADDRESSES[family].replica, nextPort++);
    await client.send('S');
    await rig.agent.segment('an answer', 0, (segment) => client.isToMe(segment));
    t.is(client.strays().length, 1);
  }
});

test('connections made straight to the replica are not touched', async (t) => {
  const rig = await openRig(t, 1);
  const { agent, client, stack } = rig;
  for (const family of FAMILIES) {
    const { replica, client: address } = ADDRESSES[family];
    client.run('bash', '-c', `exec 3<>/dev/tcp/${replica}/${SERVICE_PORT}; printf direct >&3`);
    const isDirect = (segment: Segment) => segment.destination === address && segment.device === 'eth0';
    const { destinationPort } = await agent.segment('an answer by the wire', 0, isDirect);
    await agent.hears(`${address}/${destinationPort}`, 'direct');
    await agent.look();
    t.deepEqual(
      agent.segments.filter((segment) => segment.device === stack.tap),
      [],
    );
  }
});

test('what comes by the wire for a service address does not reach the host', async (t) => {
  const { agent, client, backup } = await openRig(t, 0);
  backup.sysctl({ 'net.ipv4.ip_forward': 1, 'net.ipv6.conf.all.forwarding': 1 });
  // As after a take-over: the address is resolved to the backup's MAC address.
  for (const family of FAMILIES) {
    const { service, client: address } = ADDRESSES[family];
    client.ip(`neighbour replace ${service} lladdr ${backup.mac()} dev eth0 nud permanent`);
    t.throws(() => client.run('timeout', '0.3', 'bash', '-c', `exec 3<>/dev/tcp/${service}/${SERVICE_PORT}`));
    await agent.segment('the SYN', 0, ({ destination, flags }) => destination === service && flags === 'S');
    await agent.look();
    // Neither forwarded nor refused.
    t.deepEqual(
      agent.segments.filter(({ destination, flags }) => destination === address && flags.includes('R')),
      [],
    );
    t.true(
      agent.segments.every(
        ({ destination, destinationMac }) => destination !== service || destinationMac === backup.mac(),
      ),
    );
  }
});

test('frames of 64 KiB can be injected, and what comes out is merged as far as the capture has room', async (t) => {
  const rig = await openRig(t, 1);
  const { agent, stack } = rig;
  for (const family of FAMILIES) {
    const client = new Client(rig, ADDRESSES[family].stranger, ADDRESSES[family].replica, nextPort++);
    await client.open(t);
    await client.send('PA', 'y'.repeat(65535 - 40 - 20));
    await agent.hears(client.id, 'y'.repeat(65535 - 40 - 20));
    const from = await client.mark();
    await agent.ask(`write ${client.id} 30000`);
    await client.expect(t, 'PA', from);
    const sent = agent.segments.filter(({ device }) => device === stack.tap);
    t.true(sent.every(({ length }) => length <= STACK_FRAME_BYTES));
    t.true(sent.some(({ length }) => length > 1460));
  }
});
