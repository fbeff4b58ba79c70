/** A network that sees the context position by position, beside its own inputs: an image that belongs to an image. */
import { expected, FlowError } from '../errors';
import { concatColumns, contiguous, reshape } from '../ops';
import { checkOptions, count, one, type Rules, required } from '../options';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { Conditioner } from './conditioner';
import type { Config } from './module';
import { build, register } from './registry';

export interface BesideContextOptions {
  /** Takes its inputs and `contextChannels` columns behind them, and no context of its own. */
  readonly network: Conditioner;
  /** Columns of the context at each position: the context of a sample has positions·contextChannels. */
  readonly contextChannels: number;
}

const besideContextRules: Rules<BesideContextOptions> = {
  network: required(one('a Conditioner', () => Conditioner)),
  contextChannels: required(count),
};

/** network([x, context]) where a {@link Conditioner} takes x [N·P, inputs] and a context [N, P·contextChannels]. */
export class BesideContext extends Conditioner {
  override readonly inputs: number;
  override readonly outputs: number;
  override readonly positions: number;
  override readonly contextFeatures: number;
  readonly network: Conditioner;
  readonly contextChannels: number;

  constructor(options: BesideContextOptions) {
    super();
    const { network, contextChannels } = checkOptions('BesideContext', options, besideContextRules);
    const fits = Number.isSafeInteger(contextChannels) && contextChannels >= 1;
    if (!fits || network.inputs <= contextChannels || network.contextFeatures > 0) {
      throw new FlowError(
        'ARGUMENT',
        expected(
          'BesideContext',
          'network',
          'a network without a context, with more inputs than contextChannels (at least 1)',
          `${network.inputs} inputs, ${network.contextFeatures} of a context, contextChannels ${contextChannels}`,
          'add contextChannels to its inputs',
        ),
      );
    }
    this.inputs = network.inputs - contextChannels;
    this.outputs = network.outputs;
    this.positions = network.positions;
    this.contextChannels = contextChannels;
    this.contextFeatures = network.positions * contextChannels;
    this.network = this.child('network', network);
  }

  override get outputBias(): Tensor | null {
    return this.network.outputBias;
  }

  override apply(x: Tensor, context: Tensor | null): Tensor {
    if (context === null || context.cols !== this.contextFeatures) {
      const wanted = `rows of ${this.contextFeatures} numbers`;
      const got = context === null ? 'none' : `${context.cols}`;
      throw new FlowError(
        'SHAPE',
        expected('BesideContext', 'context', wanted, got, 'pass contextChannels a position'),
      );
    }
    return scope(() => {
      const beside = reshape(contiguous(context), [x.rows, this.contextChannels]);
      return this.network.apply(concatColumns([x, beside]), null);
    });
  }

  config(): Config {
    const { contextChannels } = this;
    return { kind: 'besideContext', contextChannels, network: this.network.config() };
  }
}

type Saved = Config & {
  readonly kind: 'besideContext';
  readonly contextChannels: number;
  readonly network: Config;
};

register<Saved>('besideContext', ({ contextChannels, network }) => {
  const made = build(network);
  if (made instanceof Conditioner) return new BesideContext({ network: made, contextChannels });
  throw new FlowError(
    'FORMAT',
    expected('BesideContext', 'network', 'a network', `a ${network.kind}`, 'the file is damaged'),
  );
});
