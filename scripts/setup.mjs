/** Makes the machine ready: Debian packages, npm packages. A second run finds nothing to do. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { installSystem } from './lib/environment.mjs';
import { locked, once } from './lib/once.mjs';
import { EXIT, Stop, main, must, say } from './lib/project.mjs';

const NODE_MINIMUM = [20, 19];

/** @param {readonly import('./lib/environment.mjs').Purpose[]} purposes */
export async function setUp(purposes) {
  requireNode();
  await installSystem(purposes);
  await locked(installPackages);
}

function requireNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const [wantMajor = 0, wantMinor = 0] = NODE_MINIMUM;
  if (major > wantMajor || (major === wantMajor && minor >= wantMinor)) return;
  const minimum = NODE_MINIMUM.join('.');
  throw new Stop(EXIT.environment, `Node ${minimum} or later is needed, this is ${process.versions.node}.`);
}

async function installPackages() {
  await once(
    {
      stamp: 'node_modules/.migware-installed',
      inputs: ['package.json', 'package-lock.json'],
      outputs: ['node_modules/pcap/build/Release/pcap_binding.node', 'node_modules/raw-socket/build/Release/raw.node'],
      // Native packages are compiled for one version of Node's binary interface.
      extra: `${process.versions.modules} ${process.platform} ${process.arch}`,
    },
    async () => {
      say('installing npm packages');
      await must('npm', ['ci', '--no-audit', '--no-fund'], { ...process.env, ...headersOfThisNode() });
    },
  );
}

/** If Node brings its own headers, node-gyp need not fetch them. */
function headersOfThisNode() {
  const prefix = join(dirname(process.execPath), '..');
  if (!existsSync(join(prefix, 'include/node/node.h'))) return {};
  // node-gyp knows the second name since npm 11, which warns about the first.
  return { npm_config_nodedir: prefix, npm_package_config_node_gyp_nodedir: prefix };
}

await main(import.meta.url, () => setUp(['build', 'run', 'test', 'lab']));
