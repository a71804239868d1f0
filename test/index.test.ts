/** The library surface, as somebody sees it who embeds the core. */
import test from 'ava';
import { Core, Port, coreModule, tcpStateName } from '../src/index';
import { tcpFrame } from './support/frames';

test('the core alone tracks a connection from frames', (t) => {
  const capacity = { connections: 16, retainedBytes: 1 << 16, retainedPerConnectionBytes: 1 << 14 };
  const core = Core.load(coreModule, capacity, new Uint32Array([1, 2, 3, 4]));
  core.trackAll(true);
  const syn = tcpFrame({ src: '192.0.2.1', dst: '192.0.2.2', srcPort: 4000, dstPort: 80, flags: 'S', seq: 100 });
  core.rx.set(syn);
  t.is(core.receive(Port.Wire, syn.length, syn.length, 0), 0);
  const [connection] = core.connections();
  t.like(connection, { client: '192.0.2.1', clientPort: 4000, server: '192.0.2.2', serverPort: 80 });
  t.is(tcpStateName(connection?.state ?? 0), 'syn-sent');
});
