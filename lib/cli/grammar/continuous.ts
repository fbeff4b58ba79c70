/** The options of `train --model ffjord`. */
import { type Command, Option } from 'commander';
import { number, whole } from '../words';

export interface ContinuousOptions {
  readonly solver?: 'rk4' | 'dopri5';
  readonly solverSteps?: number;
  readonly tolerance?: number;
  readonly trace?: 'exact' | 'hutchinson';
  readonly gradient?: 'direct' | 'checkpoints' | 'adjoint';
  readonly kinetic?: number;
  readonly jacobian?: number;
  readonly matching?: 'independent' | 'optimal';
}

export function addContinuous(command: Command): void {
  command
    .optionsGroup('Continuous flows (--model ffjord; --hidden default 64,64):')
    .addOption(
      new Option(
        '--solver <kind>',
        'in training: fixed steps, or steps by the error (default: rk4); scores and samples have steps by the error',
      ).choices(['rk4', 'dopri5']),
    )
    .option('--solver-steps <count>', 'of rk4 (default: 8)', whole(1, 10_000))
    .option('--tolerance <error>', 'of steps by the error (default: 1e-5)', number(0, 1, true))
    .addOption(
      new Option(
        '--trace <kind>',
        'in training: exact, or by a random probe (default: exact with one or two hidden layers or up to 4 columns)',
      ).choices(['exact', 'hutchinson']),
    )
    .addOption(
      new Option(
        '--gradient <kind>',
        'through the solver, from the state at each step, or of the adjoint equation (default: direct)',
      ).choices(['direct', 'checkpoints', 'adjoint']),
    )
    .option('--kinetic <weight>', 'penalty on the energy of the way, in nats', number(0, 1e6))
    .option('--jacobian <weight>', 'penalty on the norm of the Jacobian, in nats', number(0, 1e6))
    .addOption(
      new Option(
        '--matching <coupling>',
        'train by flow matching, without a solve: noise and rows in pairs as they come, or nearest to each other in the batch',
      ).choices(['independent', 'optimal']),
    );
}
