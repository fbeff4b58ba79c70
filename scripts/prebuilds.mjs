// Builds the stripped addon for this machine into prebuilds/<platform>-<arch>/.
//
//   node scripts/prebuilds.mjs [--arch=arm64]
//
// --arch: for another architecture, by its cross-compiler (scripts/cross.mjs). What build/ held of this machine is compiled anew
// by the next build.
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
import { crossTools } from './cross.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);

const arch = process.argv.find((argument) => argument.startsWith('--arch='))?.slice(7);
const cross = crossTools(arch);
// node-gyp asks the environment.
if (cross) Object.assign(process.env, { CC: cross.cc, CXX: cross.cxx, AR: cross.ar });
await promisify(require('prebuildify'))({
  cwd: root,
  napi: true,
  strip: true,
  tagLibc: true,
  shell: true,
  nodeGyp: `"${process.execPath}" "${join(root, 'scripts', 'build-native.mjs')}"`,
  ...(cross ? { arch, stripBin: cross.strip } : {}),
});

const built = join(root, 'build', 'cuda', 'Release');
if (!cross && process.platform === 'linux' && existsSync(built)) {
  for (const name of readdirSync(built).filter((file) => /^flow_kernels_cuda.*\.so$/.test(file)))
    copyFileSync(
      join(built, name),
      join(root, 'prebuilds', `${process.platform}-${process.arch}`, name),
    );
}
