/**
 * The long run: every setting, one after the other.
 *
 *   npm run model [-- FILTER]      those whose names contain FILTER: a policy, "overtaking", "2 lost"
 *
 * What is found wrong is printed with a shortest way to it, and ends the run with exit code 1.
 */
import { explore } from './explore';
import { Model } from './model';
import { LONG, nameOf } from './settings';

function main([filter = '']: readonly string[]): number {
  const settings = LONG.filter((setting) => nameOf(setting).includes(filter));
  if (settings.length === 0) {
    console.error(`no setting has a name with "${filter}":\n  ${LONG.map(nameOf).join('\n  ')}`);
    return 2;
  }
  let total = 0;
  for (const setting of settings) {
    const { states, steps, depth, found } = explore(new Model(setting));
    console.log(`${nameOf(setting)}: ${states} states, ${steps} steps, at most ${depth} from the beginning`);
    if (found !== undefined) {
      console.error(`${found.what}\n  ${found.schedule.join('\n  ')}`);
      return 1;
    }
    total += states;
  }
  console.log(`${total} states, nothing found`);
  return 0;
}

process.exitCode = main(process.argv.slice(2));
