/** sshd: everything it says depends on a key that it has just made up. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { PORT } from '../lab';
import type { RealService } from './real-service';
import { exchange, succeeds } from './real-service';

export const sshd: RealService = {
  name: 'sshd',
  crowd: 10,
  prepare: (shared) => {
    for (const key of ['host', 'client'])
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', `${shared}/${key}`]);
    // Where it puts itself when it has given up its privileges; a system without an init has not made it.
    mkdirSync('/run/sshd', { recursive: true });
  },
  start: ({ host, directory, shared }) => {
    const file = `${directory}/sshd_config`;
    writeFileSync(
      file,
      `Port ${PORT}\nHostKey ${shared}/host\nAuthorizedKeysFile ${shared}/client.pub\nStrictModes no\nUsePAM no\nPidFile none\n`,
    );
    return host.start('sshd', '/usr/sbin/sshd', '-D', '-e', '-f', file);
  },
  uses: {
    idle: async (client) => {
      const trust = ['StrictHostKeyChecking=no', `UserKnownHostsFile=${client.file('known')}`, 'LogLevel=ERROR'];
      const options = trust.flatMap((option) => ['-o', option]);
      const to = ['-F', 'none', '-i', `${client.shared}/client`, '-p', String(PORT), `root@${client.address}`];
      const ssh = client.start('ssh', ...options, ...to, 'cat');
      await exchange(ssh, 'first', /^first$/);
      await client.cut();
      await client.over();
      await exchange(ssh, 'second', /^second$/);
      await succeeds(ssh);
    },
  },
};
