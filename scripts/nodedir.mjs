// Where the headers of the running node are, so that no build downloads them.

import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * The environment for node-gyp and prebuildify. Node's own distributions (tarball, nvm, setup-node,
 * NodeSource) carry their headers under the prefix; without nodedir node-gyp would download them.
 * A nodedir that the user has set is kept.
 */
export function buildEnvironment(env = process.env) {
  const prefix = dirname(dirname(realpathSync(process.execPath)));
  const result = { ...env };
  const has = existsSync(join(prefix, 'include', 'node', 'node_api.h'));
  const nodedir =
    env.npm_package_config_node_gyp_nodedir ?? env.npm_config_nodedir ?? (has ? prefix : undefined);
  if (nodedir !== undefined) {
    result.npm_config_nodedir = nodedir; // node-gyp before 11, cmake-js
    result.npm_package_config_node_gyp_nodedir = nodedir; // node-gyp from 11 on
  }
  return result;
}
