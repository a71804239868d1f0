/**
 * What a subscriber is told depends on other connections: to replay its own cannot bring that back. A shadow sees all of them, in
 * the order in which they happened.
 */
import test from 'ava';
import { openStage } from './failover';
import { mosquitto, publishOnce, subscribe } from './messages';
import type { Use } from './real-service';
import { succeeds } from './real-service';

test('mosquitto_sub, shadow: still subscribed after the crash, the next message arrives', async (t) => {
  const subscriber: Use = async (client) => {
    const sub = subscribe(client, 2);
    await sub.hears(/Subscribed/);
    // The replica has to know of the subscriber before it knows of the message, as the primary does.
    await stage.replicaSays(/subscriber 1 lab\/news/);
    await publishOnce(client, 'first');
    await sub.hears(/^first$/);
    await client.cut();
    await client.over();
    await publishOnce(client, 'second');
    await sub.hears(/^second$/);
    await succeeds(sub);
  };
  const stage = await openStage(t, mosquitto, { daemon: { recovery: 'shadow' }, uses: [subscriber] });
  await stage.play();
  t.deepEqual(await stage.complaints(), []);
  t.like(await stage.daemon?.status(), { divergences: 0, failovers: [{ lost: 0 }] });
  t.deepEqual(await stage.daemon?.stop(), []);
});
