// Builds everything that a git checkout needs: the addon (where no prebuilt one fits) and dist/.
//
//   node scripts/build.mjs [--quiet] [--for-this-machine]

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);
const options = process.argv.filter((word) => ['--quiet', '--for-this-machine'].includes(word));

function run(script, args) {
  const result = spawnSync(process.execPath, [script, ...args], { cwd: root, stdio: 'inherit' });
  if (result.error) throw result.error;
  if (result.status !== 0) process.exit(result.status ?? 1);
}

run(join(root, 'scripts', 'build-native.mjs'), ['--if-needed', ...options]);
run(join(dirname(require.resolve('typescript/package.json')), 'bin', 'tsc'), [
  '-p',
  'tsconfig.build.json',
]);

// What is left of a source that was moved: dist/models.js would be found before dist/models/index.js.
for (const entry of readdirSync(join(root, 'dist'), { recursive: true })) {
  const source = /^(.*?)(\.d\.ts|\.js)(\.map)?$/.exec(entry);
  if (source && !existsSync(join(root, 'lib', `${source[1]}.ts`)))
    rmSync(join(root, 'dist', entry));
}
