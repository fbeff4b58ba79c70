/** Recipe: a flow of integers with learned noise. */
import { AffineCoupling, type CouplingSplit, conditionerSizes } from '../bijections/affineCoupling';
import { Chain } from '../bijections/chain';
import { Logit } from '../bijections/logit';
import { StandardLogistic } from '../distributions';
import { expected, FlowError } from '../errors';
import { Flow } from '../flows/flow';
import { seedOf } from '../flows/recipe';
import { BesideContext } from '../nn/besideContext';
import type { Conditioner } from '../nn/conditioner';
import { ConvNet } from '../nn/convNet';
import { Mlp } from '../nn/mlp';
import { checkOptions, count, depth, image, orNull, type Rules, seed } from '../options';
import { type ImageShape, requireSize } from '../shape';
import { DequantizedFlow } from './dequantizedFlow';

export interface VariationalDequantizationOptions {
  /** Height, width and channels where rows are images; default: what the flow's description says; null: rows of a table. */
  readonly image?: ImageShape | null;
  /** K: affine couplings of the noise, on checkerboards or halves in turn; default 4, as in the paper. */
  readonly transforms?: number;
  /** Channels of the networks on images, or the width of their two hidden layers on tables; default 32 and 128. */
  readonly hidden?: number;
  readonly seed?: number;
}

/** The image that a description tells of. */
function imageOf({ description }: Flow): ImageShape | null {
  const sides: unknown = JSON.parse(description['image'] ?? 'null');
  if (!Array.isArray(sides) || sides.length !== 3) return null;
  const [height, width, channels] = sides as [number, number, number];
  return { height, width, channels };
}

const variationalDequantizationRules: Rules<VariationalDequantizationOptions> = {
  image: orNull(image),
  transforms: depth,
  hidden: count,
  seed,
};

/**
 * The flow with variational dequantisation in the place of its uniform one: the noise is logistic, bent by K couplings that see the
 * integers, and goes through a sigmoid. It starts as uniform noise.
 *
 * @param flow one of integers (`dequantization: { levels }`); it becomes a part of the model, and is freed with it
 */
export function variationalDequantization(
  flow: Flow,
  options: VariationalDequantizationOptions = {},
): DequantizedFlow {
  checkOptions('variationalDequantization', options, variationalDequantizationRules);
  const { transforms = 4, seed = 0, image = imageOf(flow) } = options;
  const { hidden = image ? 32 : 128 } = options;
  const { features, dtype } = flow;
  requireSize('variationalDequantization', 'transforms', transforms);
  const { height, width, channels } = image ?? { height: 1, width: 1, channels: features };
  const positions = height * width;
  if (positions * channels !== features) {
    const size = `${height} × ${width} × ${channels}`;
    const wanted = `${features} numbers, as the flow's rows`;
    throw new FlowError(
      'ARGUMENT',
      expected('variationalDequantization', 'image', wanted, size, 'null: rows of a table'),
    );
  }
  const couplings = Array.from({ length: transforms }, (_, k) => {
    const split: CouplingSplit = image
      ? { kind: 'checkerboard', image, parity: k % 2 === 0 ? 0 : 1 }
      : { kind: 'columns', transformed: k % 2 === 0 ? 'second' : 'first' };
    const { inputs, outputs } = conditionerSizes(channels, split);
    const own = { outputs, seed: seedOf(seed, k), dtype };
    const conditioner: Conditioner = image
      ? new BesideContext({
          network: new ConvNet({ image, inputs: inputs + channels, hidden, ...own }),
          contextChannels: channels,
        })
      : new Mlp({ inputs, hidden: [hidden, hidden], contextFeatures: features, ...own });
    return new AffineCoupling({ channels, positions, split, conditioner, dtype });
  });
  const noise = new Flow({
    base: new StandardLogistic(features, dtype),
    bijection: new Chain(couplings, features),
    // From [0, 1) to the line: draws come back through the sigmoid.
    preprocessing: new Logit(features, 0),
  });
  return new DequantizedFlow({ flow, noise });
}
