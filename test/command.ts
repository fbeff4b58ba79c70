/** Commands that tests run, and the root of the checkout. */
import { spawnSync } from 'node:child_process';
import { dirname } from 'node:path';

/** The root of this checkout. */
export const PACKAGE_ROOT = dirname(__dirname);

/** Runs a command, waits, and returns what it printed. When it fails, the error has the end of all its output. */
export function run(
  command: string,
  args: string[],
  cwd: string = PACKAGE_ROOT,
  env: NodeJS.ProcessEnv = process.env,
): string {
  const result = spawnSync(command, args, {
    cwd,
    env,
    encoding: 'utf8',
    // npm and npx are scripts on Windows.
    shell: process.platform === 'win32' && command.startsWith('np'),
    maxBuffer: 1 << 28,
  });
  if (result.error) throw result.error;
  if (result.status !== 0) {
    const output = `${result.stdout}${result.stderr}`.split('\n').slice(-60).join('\n');
    const end = result.signal ?? result.status;
    throw new Error(`${command} ${args.join(' ')} ended with ${end}:\n${output}`);
  }
  return result.stdout;
}
