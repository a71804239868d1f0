/**
 * The programs of the demo are parts of migware itself, each a process in the network of its host: a command a line on
 * stdin, one JSON object a line on stdout. A part ends with its stdin, so that none outlives the demo.
 */
import { createInterface } from 'node:readline';
import type { Message } from './program';

export function say(message: Message): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

/** Obeys commands until there will be no more. */
export async function obey(commands: Readonly<Record<string, () => void>>): Promise<void> {
  // From a terminal it goes to every process of the demo; the demo alone decides what ends when.
  process.on('SIGINT', () => undefined);
  for await (const command of createInterface({ input: process.stdin })) commands[command]?.();
}
