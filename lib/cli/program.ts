/** The program: its commands, one file of `grammar/` each, and what they do. It loads nothing of the library. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { addDemo, type DemoOptions } from './grammar/demo';
import { addInfo, type InfoOptions } from './grammar/info';
import { addInpaint, type InpaintCommandOptions } from './grammar/inpaint';
import { addInterpolate, type InterpolateCommandOptions } from './grammar/interpolate';
import { addSample, type SampleCommandOptions } from './grammar/sample';
import { addScore, type ScoreOptions } from './grammar/score';
import { addTrain, type TrainOptions } from './grammar/train';
import type { Terminal } from './status';

/** What the commands do. R: their result, the exit status. */
export interface Actions<R> {
  /** @param given the options that stand on the command line, without defaults */
  train(data: string | undefined, options: TrainOptions, given: Partial<TrainOptions>): Promise<R>;
  score(model: string, data: string, options: ScoreOptions): Promise<R>;
  sample(model: string, options: SampleCommandOptions): Promise<R>;
  inpaint(model: string, data: string, options: InpaintCommandOptions): Promise<R>;
  interpolate(model: string, data: string, options: InterpolateCommandOptions): Promise<R>;
  info(model: string, options: InfoOptions): Promise<R>;
  demo(options: DemoOptions): Promise<R>;
}

/** The version in package.json. */
export function packageVersion(): string {
  const text = readFileSync(join(__dirname, '..', '..', 'package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/** The program with its commands. Its errors are thrown as CommanderError, after they were written. */
export function buildProgram(actions: Actions<void>, terminal: Terminal): Command {
  const program = new Command('flow-kernels')
    .description('Normalizing flows: train a density model, score rows, draw samples.')
    .version(packageVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false)
    .showHelpAfterError('(--help shows the options)')
    .configureOutput({
      writeOut: (text) => terminal.stdout.write(text),
      writeErr: (text) => terminal.stderr.write(text),
    })
    .exitOverride();
  addTrain(program, actions);
  addScore(program, actions);
  addSample(program, actions);
  addInpaint(program, actions);
  addInterpolate(program, actions);
  addInfo(program, actions);
  addDemo(program, actions);
  for (const command of program.commands) {
    command.option('--debug', 'show the stack of an error');
  }
  return program;
}
