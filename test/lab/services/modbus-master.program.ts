/**
 * A master on Modbus TCP. Commands: write ADDRESS VALUE... | read ADDRESS COUNT | end; each is answered by a line: `wrote ADDRESS`,
 * `read VALUE...`. It asks for one thing after the other, as masters do.
 */
import { createInterface } from 'node:readline';
import ModbusRTU from 'modbus-serial';

const [host = '', port = ''] = process.argv.slice(2);
/** Longer than anything that a test waits for. */
const TIMEOUT_MS = 50_000;

const master = new ModbusRTU();
master.setTimeout(TIMEOUT_MS);
master.setID(1);
await master.connectTCP(host, { port: Number(port) });
process.stdout.write('connected\n');

for await (const line of createInterface({ input: process.stdin })) {
  const [command, ...numbers] = line.split(' ');
  const [address = 0, ...values] = numbers.map(Number);
  if (command === 'write') {
    await master.writeRegisters(address, values);
    process.stdout.write(`wrote ${address}\n`);
  } else {
    const { data } = await master.readHoldingRegisters(address, values[0] ?? 1);
    process.stdout.write(`read ${data.join(' ')}\n`);
  }
}
master.close(() => undefined);
