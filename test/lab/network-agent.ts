/** Makes a network with a program in it, says so, and waits to be killed. */
import { Network } from '../../src/demo/network';

const network = new Network();
const host = network.host('host');
const program = host.start('sleep', 'sleep', 'infinity');
process.stdout.write(`${JSON.stringify({ event: 'made', netns: host.netns, pid: program.pid })}\n`);
