// Fails when the prebuilt addon of one of these platforms is missing: run before a release is packed.
//
//   node scripts/check-prebuilds.mjs linux-x64 darwin-arm64 …

import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const missing = process.argv.slice(2).filter((platform) => {
  const folder = join(root, 'prebuilds', platform);
  return !existsSync(folder) || !readdirSync(folder).some((file) => file.endsWith('.node'));
});
if (missing.length > 0) {
  process.stderr.write(`[check-prebuilds] prebuilds: no addon for ${missing.join(', ')}\n`);
  process.exit(1);
}
