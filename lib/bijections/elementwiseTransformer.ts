/** Any transformer on each feature by itself: its parameters are learned numbers, or made of the context. */
import type { Config } from '../nn/module';
import {
  type AmortizationOptions,
  amortizationConfig,
  amortizationRules,
  ParameterNet,
} from '../nn/parameterNet';
import { register } from '../nn/registry';
import { expand } from '../ops';
import { checkOptions, count, one, picked, type Rules, required } from '../options';
import { requireSize } from '../shape';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { buildTransformer } from './autoregressive';
import { Bijection, type Forward, type Inverse } from './bijection';
import { Transformer } from './transformer';

export interface ElementwiseTransformerOptions extends AmortizationOptions {
  /** D. */
  readonly features: number;
  readonly transformer: Transformer;
}

const elementwiseTransformerRules: Rules<ElementwiseTransformerOptions> = {
  ...amortizationRules,
  features: required(count),
  transformer: required(one('a Transformer', () => Transformer)),
};

/** y_i = f(x_i; p_i): learned marginals, with a context p(x_i | c) of features that are independent given it. */
export class ElementwiseTransformer extends Bijection {
  override readonly features: number;
  override readonly contextFeatures: number;
  readonly transformer: Transformer;
  /** Of p [D·P]. */
  readonly parameterNet: ParameterNet;

  constructor(options: ElementwiseTransformerOptions) {
    super();
    checkOptions('ElementwiseTransformer', options, elementwiseTransformerRules);
    const { features, transformer } = options;
    requireSize('ElementwiseTransformer', 'features', features);
    this.features = features;
    const each = transformer.startingParams();
    const start = Float64Array.from(
      { length: features * each.length },
      (_, k) => each[k % each.length] as number,
    );
    this.parameterNet = this.child(
      'parameters',
      new ParameterNet(start, picked(options, amortizationRules)),
    );
    this.transformer = this.child('transformer', transformer);
    this.contextFeatures = this.parameterNet.contextFeatures;
  }

  #params(rows: number, context: Tensor | null): Tensor {
    const params = this.parameterNet.apply(context);
    return params.rows === rows ? params : expand(params, [rows, params.cols]);
  }

  protected override mapForward(x: Tensor, context: Tensor | null): Forward {
    return scope(() => this.transformer.forward(x, this.#params(x.rows, context)));
  }

  protected override mapInverse(y: Tensor, context: Tensor | null): Inverse {
    return scope(() => this.transformer.inverse(y, this.#params(y.rows, context)));
  }

  config(): Config {
    return {
      kind: 'elementwiseTransformer',
      features: this.features,
      transformer: this.transformer.config(),
      ...amortizationConfig(this.parameterNet.options),
    };
  }
}

type Saved = Omit<ElementwiseTransformerOptions, 'transformer'> & {
  readonly kind: 'elementwiseTransformer';
  readonly transformer: Config;
};

register<Saved & Config>('elementwiseTransformer', (config) => {
  const transformer = buildTransformer('ElementwiseTransformer', config.transformer);
  return new ElementwiseTransformer({ ...config, transformer });
});
