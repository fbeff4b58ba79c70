// Builds the stripped addon for this machine into prebuilds/<platform>-<arch>/.
//
//   node scripts/prebuilds.mjs [--arch=arm64] [--strip-bin=aarch64-linux-gnu-strip]
//
// The CUDA plug-ins go beside it that `npm run build:cuda` has built for this machine, one a toolkit: the best for a GPU is chosen where it is
// used. One that was built for another list of ops than the addon is refused when it is loaded.
//
// prebuildify names, strips and places the file. It would call `node-gyp rebuild`, which downloads
// headers and throws away what is built: it is given build-native.mjs in its place.

import { copyFileSync, existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);

function option(name) {
  const prefix = `--${name}=`;
  return process.argv.find((argument) => argument.startsWith(prefix))?.slice(prefix.length);
}

const arch = option('arch');
const stripBin = option('strip-bin');
await promisify(require('prebuildify'))({
  cwd: root,
  napi: true,
  strip: true,
  tagLibc: true,
  shell: true,
  nodeGyp: `"${process.execPath}" "${join(root, 'scripts', 'build-native.mjs')}"`,
  ...(arch ? { arch } : {}),
  ...(stripBin ? { stripBin } : {}),
});

const built = join(root, 'build', 'cuda', 'Release');
if (!arch && process.platform === 'linux' && existsSync(built)) {
  for (const name of readdirSync(built).filter((file) => /^flow_kernels_cuda.*\.so$/.test(file)))
    copyFileSync(
      join(built, name),
      join(root, 'prebuilds', `${process.platform}-${process.arch}`, name),
    );
}
