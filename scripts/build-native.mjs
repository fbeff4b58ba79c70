// Builds the addon with node-gyp into build/Release (or build/Debug with --debug).
//
//   node scripts/build-native.mjs [--debug] [--if-needed] [--quiet] [--arch=arm64] [--for-this-machine]
//
// Make decides what is out of date. With --if-needed nothing is built where a prebuilt addon fits
// this machine and is newer than the sources. --for-this-machine compiles the best instruction set of this CPU and no
// other, where nothing has been built yet: a third of the work. Environment: FLOW_WERROR=1 turns warnings into errors,
// JOBS=n sets the number of parallel compilers.

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { locked } from './lock.mjs';
import { machineSets } from './machine-sets.cjs';
import { buildEnvironment } from './nodedir.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);
const options = new Set(process.argv.slice(2));

/**
 * node-gyp of this package's development, or the one inside of npm: an installed package, where no
 * prebuilt addon fits, is built by `node scripts/build-native.mjs` in its folder and nothing else.
 */
function nodeGyp() {
  const prefix = dirname(dirname(realpathSync(process.execPath)));
  const places = [
    import.meta.url,
    process.env.npm_execpath,
    join(prefix, 'lib', 'node_modules', 'npm', 'package.json'),
    join(dirname(process.execPath), 'node_modules', 'npm', 'package.json'), // Windows
  ];
  for (const place of places) {
    if (place === undefined) continue;
    try {
      return createRequire(place).resolve('node-gyp/bin/node-gyp.js');
    } catch (error) {
      if (error.code !== 'MODULE_NOT_FOUND') throw error;
    }
  }
  process.stderr.write('[build-native] node-gyp was not found: run "npm install node-gyp" first\n');
  process.exit(1);
}

/** The time of the newest native source or build file. */
function newestSource() {
  const files = ['binding.gyp', 'scripts/sources.cjs'].map((file) => join(root, file));
  for (const entry of readdirSync(join(root, 'native'), { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) files.push(join(entry.parentPath, entry.name));
  }
  return Math.max(...files.map((file) => statSync(file).mtimeMs));
}

/** The prebuilt addon that makes a build unnecessary, or undefined. A build/ folder always wins. */
function fittingPrebuild() {
  if (existsSync(join(root, 'build', 'Release')) || existsSync(join(root, 'build', 'Debug'))) {
    return undefined;
  }
  let path;
  try {
    path = require('node-gyp-build').resolve(root);
  } catch {
    return undefined; // node-gyp-build throws when there is none: then it is built
  }
  return statSync(path).mtimeMs >= newestSource() ? path : undefined;
}

const prebuilt = options.has('--if-needed') ? fittingPrebuild() : undefined;
if (prebuilt !== undefined) {
  process.stdout.write(`[build-native] uses the prebuilt addon ${prebuilt}\n`);
  process.exit(0);
}

// build/one-set says that the addon there was made for this machine: others are still to be compiled.
const oneSet = join(root, 'build', 'one-set');
const partly = existsSync(oneSet) || !existsSync(join(root, 'build', 'Release'));
const known = process.platform === 'linux' || process.arch !== 'x64';
const best =
  options.has('--for-this-machine') && partly && known ? machineSets().at(-1) : undefined;

const jobs = process.env.JOBS ?? String(availableParallelism());
const command = ['configure', 'build', options.has('--debug') ? '--debug' : '--release'];
for (const option of options) if (option.startsWith('--arch=')) command.push(option);
const quiet = options.has('--quiet') ? ['--loglevel', 'error'] : ['--loglevel', 'warn'];
const result = locked(root, () =>
  spawnSync(process.execPath, [nodeGyp(), ...command, '--jobs', jobs, ...quiet], {
    cwd: root,
    env: { ...buildEnvironment(), ...(best && { GYP_DEFINES: `flow_sets=${best}` }) },
    stdio: ['ignore', options.has('--quiet') ? 'ignore' : 'inherit', 'inherit'],
  }),
);
if (result.error) throw result.error;
if (result.status !== 0) {
  process.stderr.write(
    '[build-native] the addon was not built: a C++20 compiler (g++ 11 or clang 14, or newer), make ' +
      'and python3 are needed; on Debian or Ubuntu: apt-get install g++ make python3\n',
  );
  process.exit(result.status ?? 1);
}
if (best) writeFileSync(oneSet, best);
else rmSync(oneSet, { force: true });
