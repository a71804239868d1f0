/** An HTTP GET on a connection of its own: an answer is a status that was expected. The body is not read. */
import { get } from 'node:http';
import { codeOf, reasonOf } from '../reason';
import { ANSWER, failure } from './probe';
import type { Probe } from './probe';

/** @param statuses that count as alive; without them every 2xx and 3xx does */
export function httpProbe(url: string, statuses?: readonly number[]): Probe {
  const expected = (status: number) => statuses?.includes(status) ?? (status >= 200 && status < 400);
  const running = new Set<() => void>();
  return {
    kind: 'http',
    target: url,
    begin(settle) {
      const request = get(url, { agent: false, headers: { 'user-agent': 'migware' } });
      const giveUp = () => {
        running.delete(giveUp);
        request.destroy();
      };
      running.add(giveUp);
      request.once('response', ({ statusCode: status = 0 }) => {
        if (!running.has(giveUp)) return;
        giveUp();
        settle(expected(status) ? ANSWER : { kind: 'miss', why: `status ${status}` });
      });
      request.on('error', (error) => {
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
