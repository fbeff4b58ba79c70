/** The command info. */
import type { Command } from 'commander';
import type { Actions } from '../program';

export interface InfoOptions {
  readonly json?: boolean;
}

export function addInfo(program: Command, actions: Actions<void>): void {
  program
    .command('info')
    .summary('what is in a model file')
    .description(
      'Show the architecture, parameters, preprocessing, columns and training of a model file.',
    )
    .argument('<model>', 'model file, or run folder')
    .option('--json', 'as JSON')
    .action((model: string, options: InfoOptions) => actions.info(model, options));
}
