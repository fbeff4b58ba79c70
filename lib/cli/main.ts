#!/usr/bin/env node
/** The command `flow-kernels`: streams, signals and the exit status; what it does is in run.ts. */
import { runCommand } from './run';

// Whoever reads the output may stop early (`… | head`): that is no error of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : 1);
});
process.stderr.on('error', () => {});

void runCommand(process.argv.slice(2), process).then((status) => {
  // Not exit(): what was written must reach its reader first.
  process.exitCode = status;
});
