/** A TCP handshake: an answer is an accepted connection, which is closed at once. */
import { connect } from 'node:net';
import { codeOf, reasonOf } from '../reason';
import { ANSWER, failure, hostPort } from './probe';
import type { Probe } from './probe';

export function tcpProbe(target: string, port: number): Probe {
  const running = new Set<() => void>();
  return {
    kind: 'tcp',
    target: hostPort(target, port),
    begin(settle) {
      const socket = connect({ host: target, port });
      const giveUp = () => {
        running.delete(giveUp);
        socket.destroy();
      };
      running.add(giveUp);
      socket.once('connect', () => {
        giveUp();
        settle(ANSWER);
      });
      socket.on('error', (error) => {
        if (!running.has(giveUp)) return;
        giveUp();
        settle(failure(codeOf(error), reasonOf(error)));
      });
      return giveUp;
    },
    close() {
      running.forEach((giveUp) => giveUp());
    },
  };
}
