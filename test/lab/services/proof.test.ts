/** The services and their clients themselves, with nobody dying: what the fail-overs are judged by is right without one. */
import test from 'ava';
import { endure } from './failover';
import { SERVICES } from './services';

for (const service of SERVICES) {
  test(`${service.name}: every client comes to its end`, async (t) => {
    await endure(t, service);
  });
}
