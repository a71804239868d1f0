/** A field bus device behind Modbus TCP: holding registers that keep what is written to them. */
import { ServerTCP } from 'modbus-serial';

const [port = ''] = process.argv.slice(2);
const registers = new Map<number, number>();

const server = new ServerTCP(
  {
    getHoldingRegister: (address: number) => registers.get(address) ?? 0,
    setRegister: (address: number, value: number) => {
      registers.set(address, value);
    },
  },
  { host: '::', port: Number(port), unitID: 1 },
);
server.on('initialized', () => {
  process.stdout.write('serving\n');
});
server.on('socketError', (error) => {
  process.stdout.write(`${String(error)}\n`);
});
