/** maf, iaf, made. */
import { iaf, type MafOptions, made, maf } from '../../flows';
import type { TrainOptions } from '../grammar/train';
import { UsageError } from '../status';
import { type Model, type ModelDefaults, type ModelInput, ofFlows, pass, shared } from './model';

function mafOptions(options: TrainOptions, input: ModelInput, usual: ModelDefaults): MafOptions {
  const { permutation = 'reverse' } = options;
  if (!['reverse', 'random', 'none'].includes(permutation)) {
    throw new UsageError(
      `--permutation ${permutation} is for --model glow: choose reverse, random or none`,
    );
  }
  const bound = options.scaleBound ?? usual.scaleBound;
  return {
    ...shared(options, input, usual),
    scale: { kind: 'softClamp', bound: bound as number },
    ...pass(options, 'transforms', 'permutation', 'batchNorm', 'degrees'),
  };
}

const networks = [
  ...ofFlows,
  'batchNorm',
  'scaleBound',
  'degrees',
  'activation',
  'residual',
] as const;

const autoregressive: Pick<Model, 'takes' | 'defaults'> = {
  takes: ['transforms', 'permutation', ...networks],
  // Many transforms of many dimensions with a loose bound draw rows that run away from the data: see demo.ts.
  defaults: (image) =>
    image ? { hidden: [1024], scaleBound: 2 } : { hidden: [256, 256], scaleBound: 5 },
};

export const autoregressiveModels = {
  maf: { ...autoregressive, build: (o, i, d) => maf(mafOptions(o, i, d)) },
  iaf: { ...autoregressive, build: (o, i, d) => iaf(mafOptions(o, i, d)) },
  made: { ...autoregressive, takes: networks, build: (o, i, d) => made(mafOptions(o, i, d)) },
} satisfies Record<string, Model>;
