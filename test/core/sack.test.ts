/** SACK blocks of a client's frame that is split for a replica on another machine. */
import test from 'ava';
import { Flow, type FlowOptions } from '../support/flow';
import { nop, sack } from '../support/frames';
import { World } from '../support/world';

const BUILDS = ['debug', 'release'] as const;

const OFFER = { sack: true } as const;
const REMOTE: FlowOptions = { remote: true, clientOffer: OFFER, primaryOffer: OFFER, replicaOffer: OFFER };

type Block = [left: number, right: number];

for (const build of BUILDS) {
  const world = (): World => new World(build, { services: [{ remote: true }] });
  /** What the replica is told with a frame of 4,000 bytes that has these blocks. */
  const told = (flow: Flow, ...blocks: Block[]): (readonly (readonly [number, number])[])[] => {
    const first = flow.client.next;
    flow.client.data(4000, { options: [nop(), nop(), sack(...blocks)] });
    const parts = flow.toReplica();
    const whole = Buffer.concat(parts.map(({ payload }) => payload));
    if (!whole.equals(flow.client.pattern(first, 4000))) throw new Error('the payload is another one');
    return parts.map((part) => part.sack);
  };

  test(`${build}: the blocks follow the numbers of the replica, in every part`, (t) => {
    const flow = new Flow(world(), REMOTE).established().recovered();
    const server = flow.client.received;
    const blocks: Block[] = [40, 30, 20, 10].map((n) => [server + n, server + n + 5]);
    const shifted = blocks.map((block) => block.map((edge) => (edge - server + flow.stack.next) >>> 0));
    const parts = told(flow, ...blocks);
    t.is(parts.length, 3);
    for (const part of parts) t.deepEqual(part, shifted as unknown as typeof part);
  });

  test(`${build}: blocks about the primary's bytes go with none`, (t) => {
    const flow = new Flow(world(), REMOTE).established().recovered();
    const server = flow.client.received;
    for (const part of told(flow, [server - 50, server - 20])) t.deepEqual(part, []);
  });

  test(`${build}: those of a connection that the replica has from its SYN on go as they are`, (t) => {
    const flow = new Flow(world(), REMOTE).crash().client.syn().accept();
    flow.client.received = flow.stack.next;
    flow.client.ack();
    const block: Block = [flow.stack.next + 10, flow.stack.next + 20];
    for (const part of told(flow, block)) t.deepEqual(part, [block]);
  });
}
