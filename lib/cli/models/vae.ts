/** vae. */
import { LogisticMixtureLikelihood, type VaeOptions, vae } from '../../models';
import type { TrainOptions } from '../grammar/train';
import { UsageError } from '../status';
import { type Model, pass, refuse, sidesOf } from './model';

/** @throws UsageError */
function likelihoodOf({ likelihood }: TrainOptions, image: boolean) {
  if (likelihood !== 'categorical') return likelihood ?? (image ? 'bernoulli' : 'normal');
  throw new UsageError('--likelihood categorical: --model vae has bernoulli, logistic or normal');
}

/** Bound of the log-scales of affine steps. */
const affineSteps = { kind: 'softClamp', bound: 5 } as const;

function posteriorOf(
  kind: TrainOptions['posterior'] = 'diagonal',
  transforms?: number,
): NonNullable<VaeOptions['posterior']> {
  const count = transforms === undefined ? {} : { transforms };
  if (kind === 'diagonal') return kind;
  if (kind === 'iaf') return count;
  return kind === 'iaf-affine' ? { ...count, scale: affineSteps } : { ...count, kind };
}

/** Bytes of images that say nothing else. */
const usualLevels = 256;

export const vaeModels = {
  vae: {
    takes: [
      'latents',
      'posterior',
      'prior',
      'likelihood',
      'conv',
      'freeBits',
      'klWarmup',
      'importance',
      'transforms',
      'blocks',
      'activation',
    ],
    defaults: (image) => ({ hidden: image ? [512, 512] : [128, 128] }),
    preprocess(options, image) {
      const likelihood = likelihoodOf(options, image !== null);
      const { levels, logit, standardize } = options;
      if (likelihood === 'normal') {
        if (image) throw new UsageError('--likelihood normal is for tables: choose another one');
        if (levels !== undefined) throw new UsageError('--likelihood normal takes no --levels');
        return null;
      }
      if (logit !== undefined || standardize) {
        throw new UsageError(
          `--likelihood ${likelihood} takes the data as they are: leave out --logit and --standardize`,
        );
      }
      if (likelihood === 'logistic') return { kind: 'integers', levels: levels ?? usualLevels };
      return { kind: 'bits', levels: levels ?? (image ? usualLevels : null) };
    },
    build(options, input, { hidden }) {
      const { image, dequantization: _none, ...rest } = input;
      const likelihood = likelihoodOf(options, image !== null);
      const { conv, freeBits, klWarmup, posterior, prior, transforms, dtype, seed } = options;
      if (conv && !image) throw new UsageError('--conv is for images');
      if (!conv) refuse(options, ['blocks'], ' without --conv');
      if (conv && options.hidden) {
        throw new UsageError('--conv takes the place of --hidden: pass one of them');
      }
      if ((posterior ?? 'diagonal') === 'diagonal') {
        refuse(options, ['transforms'], ' of a diagonal posterior');
      }
      const levels = options.levels ?? usualLevels;
      return vae({
        ...rest,
        ...(image && { image: sidesOf(image) }),
        latents: options.latents ?? (image ? 32 : Math.max(1, Math.floor(input.features / 2))),
        hidden: options.hidden ?? hidden,
        ...(conv && { conv: { channels: conv, ...pass(options, 'blocks') } }),
        ...(pass(options, 'activation') as Pick<VaeOptions, 'activation'>),
        likelihood:
          likelihood === 'logistic'
            ? new LogisticMixtureLikelihood({
                features: input.features,
                channels: image ? sidesOf(image).channels : 1,
                levels,
              })
            : likelihood,
        ...(likelihood === 'bernoulli' &&
          (image || options.levels !== undefined) && { binarization: { levels } }),
        posterior: posteriorOf(posterior, transforms),
        ...(prior && { prior }),
        ...(freeBits && { freeBits: { nats: freeBits } }),
        ...(klWarmup && { warmup: { steps: klWarmup } }),
        ...{ dtype, seed },
      });
    },
  },
} satisfies Record<string, Model>;
