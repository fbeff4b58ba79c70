/** One call of the command line, from words to an exit status. */
import { CommanderError } from 'commander';
import { isFlowError } from '../errors';
import { type Actions, buildProgram } from './program';
import { exitStatus, type Terminal, UsageError } from './status';

/**
 * Runs a command.
 *
 * @param words the command line without node and script
 * @returns the exit status; everything that can go wrong has been told on stderr by then
 */
export async function runCommand(words: readonly string[], terminal: Terminal): Promise<number> {
  let status: number = exitStatus.ok;
  // The commands load the native library: --help and --version must work without it.
  const run = async (action: (commands: Actions<number>) => Promise<number>) => {
    const { actions } = await import('./commands.js');
    status = await action(actions(words, terminal));
  };
  const program = buildProgram(
    {
      train: (...parameters) => run((commands) => commands.train(...parameters)),
      score: (...parameters) => run((commands) => commands.score(...parameters)),
      sample: (...parameters) => run((commands) => commands.sample(...parameters)),
      inpaint: (...parameters) => run((commands) => commands.inpaint(...parameters)),
      interpolate: (...parameters) => run((commands) => commands.interpolate(...parameters)),
      info: (...parameters) => run((commands) => commands.info(...parameters)),
      demo: (...parameters) => run((commands) => commands.demo(...parameters)),
    },
    terminal,
  );
  try {
    await program.parseAsync([...words], { from: 'user' });
    return status;
  } catch (error) {
    return report(error, words.includes('--debug'), terminal);
  }
}

function report(error: unknown, debug: boolean, terminal: Terminal): number {
  if (error instanceof CommanderError) {
    // Commander has written its sentence, or the help that was asked for.
    return error.exitCode === 0 ? exitStatus.ok : exitStatus.usage;
  }
  const known = isFlowError(error) || error instanceof UsageError;
  const text = error instanceof Error ? error.message : String(error);
  terminal.stderr.write(`flow-kernels: ${text.replaceAll(/\s*\n\s*/g, ' ')}\n`);
  if (debug && error instanceof Error) terminal.stderr.write(`${error.stack}\n`);
  else if (!known) terminal.stderr.write('flow-kernels: --debug shows where this happened\n');
  return error instanceof UsageError ? exitStatus.usage : exitStatus.failure;
}
