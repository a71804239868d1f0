/**
 * Real services and their real clients: each service's clients are idle, in the middle of an answer and in the middle of a
 * request when the primary dies, and none of them notices.
 */
import test from 'ava';
import { crowd, endure } from './failover';
import { SERVICES } from './services';

for (const recovery of ['replay', 'shadow'] as const) {
  for (const service of SERVICES) {
    test(`${service.name}, ${recovery}: one client of each kind goes on`, async (t) => {
      await endure(t, service, { daemon: { recovery } });
    });

    test(`${service.name}, ${recovery}: one client of each kind goes on over IPv6`, async (t) => {
      await endure(t, service, { daemon: { recovery }, family: 6 });
    });

    test(`${service.name}, ${recovery}: ${service.crowd} clients whose frames get lost from the cut on go on`, async (t) => {
      await endure(t, service, {
        daemon: { recovery },
        uses: crowd(service),
        clientCable: ['--loss', '1', '--delay', '1'],
      });
    });
  }
}
