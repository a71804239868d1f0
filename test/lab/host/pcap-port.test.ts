/** The port by libpcap on a real interface: what it shows, and how it ends. */
import test from 'ava';
import type { Message } from '../../../src/demo/program';
import { openPair } from './pair';
import type { Agent } from './site';

interface FramesMessage extends Message {
  readonly frames: readonly { readonly wireLength: number; readonly hex: string }[];
  readonly failures: readonly string[];
}

interface CountMessage extends Message {
  readonly count: number;
  readonly failures: readonly string[];
}

interface StatsMessage extends Message {
  readonly received: number;
  readonly dropped: number;
  readonly sent: number;
  readonly sendFailed: number;
}

function shown(agent: Agent, count: number): Promise<FramesMessage> {
  return agent.program.until<FramesMessage>('frames', `${count} frames`, ({ frames }) => frames.length >= count);
}

test('what cannot be opened says why', async (t) => {
  const { sender } = await openPair(t);
  await t.throwsAsync(sender.ask('capture eth0 no_filter'), {
    message: /eth0: capture cannot be opened: .*syntax error/s,
  });
  await t.throwsAsync(sender.ask('capture lo'), { message: /lo: no Ethernet interface/ });
  await t.throwsAsync(sender.ask('capture eth7'), { message: /eth7: there is none of this name; there are eth0/ });
});

test('frames of every size pass whole, and longer ones than wanted are cut', async (t) => {
  const { sender, receiver } = await openPair(t);
  await receiver.ask('capture eth0');
  await sender.ask('capture eth0  2000');
  const sizes = [60, 61, 1514, 1600, 9014, 40_000, 65_549];
  for (const size of sizes) await sender.ask(`flood eth0 1 ${size}`);
  const { frames } = await shown(receiver, sizes.length);
  t.deepEqual(
    frames.map(({ wireLength }) => wireLength),
    sizes,
  );
  t.true(frames.every(({ wireLength, hex }) => hex === '77'.repeat(wireLength)));
  // An injection is not seen by the session that makes it.
  t.deepEqual((await sender.ask<FramesMessage>('frames')).frames, []);

  for (const size of [100, 5000]) await receiver.ask(`flood eth0 1 ${size}`);
  const cut = await shown(sender, 2);
  t.deepEqual(
    cut.frames.map(({ wireLength, hex }) => [wireLength, hex.length / 2]),
    [
      [100, 100],
      [5000, 2000],
    ],
  );
});

test('the kernel filter keeps out what is not wanted', async (t) => {
  const { left, sender, receiver } = await openPair(t);
  await receiver.ask(`capture eth0 not_ether_src_${left.mac()}`);
  await sender.ask('capture eth0');
  // The bytes of `flood` are 77:77:...; those of the interface's own MAC address are refused.
  await sender.ask(`inject eth0 ${'02'.repeat(6)}${left.mac().replaceAll(':', '')}${'00'.repeat(50)}`);
  await sender.ask('flood eth0 1 60');
  const { frames } = await shown(receiver, 1);
  t.deepEqual(
    frames.map(({ hex }) => hex.slice(0, 4)),
    ['7777'],
  );
});

test('what the kernel does not take is counted', async (t) => {
  const { right, sender } = await openPair(t);
  await sender.ask('capture eth0');
  await sender.ask('flood eth0 2 65600');
  right.ip('link set eth0 mtu 1500');
  await sender.ask('flood eth0 3 60');
  const { sent, sendFailed } = await sender.ask<StatsMessage>('stats eth0');
  t.deepEqual({ sent, sendFailed }, { sent: 3, sendFailed: 2 });
});

test('a flood is shown or counted as dropped, and is no failure of the port', async (t) => {
  const { sender, receiver } = await openPair(t);
  await receiver.ask('capture eth0');
  await receiver.ask('quiet eth0');
  await sender.ask('capture eth0');
  let sent = 0;
  for (const bytes of [60, 1514, 65_000]) {
    for (let round = 0; round < 5; round++) {
      sent += (await sender.ask<Message & { sent: number }>(`flood eth0 5000 ${bytes}`)).sent;
    }
  }
  const isComplete = ({ received, dropped }: StatsMessage) => received + dropped === sent;
  const { received } = await receiver.program.until<StatsMessage>('stats eth0', 'the last frame', isComplete);
  t.deepEqual(await receiver.ask<CountMessage>('count eth0').then(({ count, failures }) => ({ count, failures })), {
    count: received,
    failures: [],
  });
});

test('frames that were polled are no reason to think the interface lost', async (t) => {
  const { left, sender, receiver } = await openPair(t);
  await receiver.ask('capture eth0');
  await receiver.ask('quiet eth0');
  await sender.ask('capture eth0');
  const isThere = (total: number) => (message: CountMessage) => message.count === total;
  for (let round = 1; round <= 50; round++) {
    const polled = receiver.ask(`pollUntil eth0 ${round * 20}`);
    await sender.ask('flood eth0 20 60');
    await polled;
  }
  await receiver.program.until<CountMessage>('count eth0', 'all frames', isThere(1000));
  t.deepEqual(await receiver.failures(), []);
  // And it still sees frames by itself, and its end.
  await sender.ask('flood eth0 5 60');
  await receiver.program.until<CountMessage>('count eth0', 'five more', isThere(1005));
  left.ip('link delete eth0');
  await receiver.program.until<CountMessage>('count eth0', 'the failure', ({ failures }) => failures.length > 0);
  t.deepEqual(await receiver.failures(), ['eth0: the interface is gone']);
});

for (const [how, expected] of [
  ['set eth0 down', 'eth0: the interface went down'],
  ['delete eth0', 'eth0: the interface is gone'],
] as const) {
  test(`an interface that is lost is a failure, once: ${how}`, async (t) => {
    const { left, sender, receiver } = await openPair(t);
    await sender.ask('capture eth0');
    left.ip(`link ${how}`);
    await sender.program.until<CountMessage>('count eth0', 'the failure', ({ failures }) => failures.length > 0);
    t.deepEqual(await sender.failures(), [expected]);
    t.is((await sender.ask<Message & { sent: number }>('flood eth0 1 60')).sent, 0);
    await sender.ask('close eth0');
    if (how === 'delete eth0') return;

    // It does not come back by itself; a new port sees frames again.
    left.ip('link set eth0 up');
    await sender.ask('capture eth0');
    await receiver.ask('capture eth0');
    await receiver.ask('flood eth0 3 60');
    t.is((await shown(sender, 3)).frames.length, 3);
    t.deepEqual(await sender.failures(), [expected]);
  });
}

test('an interface that goes down with frames still to be read is lost after them', async (t) => {
  const { sender, receiver } = await openPair(t);
  await sender.ask('capture eth0');
  await receiver.ask('capture eth0');
  const { arrived } = await receiver.ask<Message & { arrived: number }>('arrived eth0');
  const down = receiver.ask(`downAfter eth0 ${arrived + 5}`);
  await sender.ask('flood eth0 5 60');
  await down;
  await receiver.program.until<CountMessage>('count eth0', 'the failure', ({ failures }) => failures.length > 0);
  t.deepEqual(await receiver.failures(), ['eth0: the interface went down']);
  t.is((await shown(receiver, 5)).frames.length, 5);
});

test('a port can be closed from within, and shows nothing after that', async (t) => {
  const { sender, receiver } = await openPair(t);
  await sender.ask('capture eth0');
  await receiver.ask('capture eth0');
  await receiver.ask('closeOnFrame eth0');
  await sender.ask('flood eth0 100 60');
  await receiver.program.until<CountMessage>('count eth0', 'a frame', ({ count }) => count > 0);
  await sender.ask('flood eth0 100 60');
  t.is((await receiver.ask<CountMessage>('count eth0')).count, 1);
  t.is((await receiver.ask<StatsMessage>('stats eth0')).received, 1);
  await receiver.ask('close eth0');
});

test('a closed port does not keep the process alive once it has seen another frame', async (t) => {
  const { sender, receiver } = await openPair(t);
  await sender.ask('capture eth0');
  await receiver.ask('capture eth0');
  await receiver.ask('close eth0');
  await receiver.ask('finish');
  await sender.ask('flood eth0 1 60');
  t.is(await receiver.program.ended, 0);
});
