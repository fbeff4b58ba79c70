/**
 * Autoregressive maps with any transformer: y_i = f(x_i; p_i(x_<i)), the parameters from a MADE. Huang et al. 2018, "Neural
 * Autoregressive Flows"; Papamakarios et al. 2021, section 3.1. The affine one has a class of its own: MaskedAutoregressive.
 */
import { pullback } from '../autograd/gradient';
import { withoutTape } from '../autograd/tape';
import type { FloatDType } from '../dtype';
import { expected, FlowError } from '../errors';
import { Made, type MadeOptions, madeRules } from '../nn/made';
import type { Config } from '../nn/module';
import { build, register } from '../nn/registry';
import { add, columns, copyInto, full, zeros } from '../ops';
import { checkOptions, one, type Rules, required } from '../options';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { Bijection, type Forward, type Inverse } from './bijection';
import { recordImplicit, type TriangularMap } from './implicit';
import { mergeSolves, type Solved, solved } from './solve';
import { Transformer } from './transformer';

export interface AutoregressiveOptions extends Omit<MadeOptions, 'outputsPerFeature'> {
  readonly transformer: Transformer;
}

const { outputsPerFeature: _outputs, ...networkRules } = madeRules;

const autoregressiveRules: Rules<AutoregressiveOptions> = {
  ...networkRules,
  transformer: required(one('a Transformer', () => Transformer)),
};

/**
 * Forward is one pass. The inverse is about one pass and the roots where the transformer can be solved inside of the
 * incremental network (DSF, polynomials), else a pass a dimension.
 */
export class Autoregressive extends Bijection {
  override readonly features: number;
  override readonly contextFeatures: number;
  override readonly fastDirection = 'forward';
  readonly made: Made;
  readonly transformer: Transformer;

  constructor(options: AutoregressiveOptions) {
    super();
    checkOptions('Autoregressive', options, autoregressiveRules);
    const { transformer, ...network } = options;
    this.features = options.features;
    this.contextFeatures = options.contextFeatures ?? 0;
    this.made = this.child(
      'made',
      new Made({ ...network, outputsPerFeature: transformer.paramsPerFeature }),
    );
    this.transformer = this.child('transformer', transformer);
    addToBias(this.made.output.bias, transformer.startingParams());
  }

  get dtype(): FloatDType {
    return this.made.dtype;
  }

  protected override mapForward(x: Tensor, context: Tensor | null): Forward {
    return scope(() => {
      const { order } = this.made;
      const { y, ...rest } = this.#forwardInOrder(order.toOrder(x), context);
      return { y: order.fromOrder(y), ...rest };
    });
  }

  #forwardInOrder(x: Tensor, context: Tensor | null): Forward {
    return this.transformer.forward(x, this.made.applyInOrder(x, context));
  }

  protected override mapInverse(y: Tensor, context: Tensor | null): Inverse {
    return scope(() => {
      const { order } = this.made;
      const ordered = order.toOrder(y);
      const addend = this.made.contextTerm(context, y.rows);
      const { x, ...rest } =
        this.transformer.inverseOfMade(ordered, this.made, addend) ??
        this.#dimensionByDimension(ordered, context);
      return { x: order.fromOrder(x), ...rest };
    });
  }

  /** D passes of the network: pass i knows the dimensions before i. */
  #dimensionByDimension(y: Tensor, context: Tensor | null): Inverse {
    const { transformer, made } = this;
    const each = transformer.paramsPerFeature;
    const found = withoutTape(() =>
      scope((): Inverse => {
        const x = zeros(y.shape, this.dtype);
        let logDet = full([y.rows], 0, 'float64');
        let solve: Solved['solve'];
        for (let i = 0; i < y.cols; i++) {
          const before = { logDet, solve };
          ({ logDet, solve } = scope(() => {
            const params = columns(made.applyInOrder(x, context), i * each, (i + 1) * each);
            const step = transformer.inverse(columns(y, i, i + 1), params);
            copyInto(columns(x, i, i + 1), step.x);
            return {
              logDet: add(before.logDet, step.logDet),
              solve: mergeSolves(before.solve, step.solve),
            };
          }));
        }
        return { x, logDet, ...solved(solve) };
      }),
    );
    recordImplicit(this.#inOrder(), y, context, found);
    return found;
  }

  #inOrder(): TriangularMap {
    return {
      name: 'autoregressiveInverse',
      parameters: this.parameters(),
      forward: (x, context) => this.#forwardInOrder(x, context),
      slopes: (x, context) => {
        const params = withoutTape(() => this.made.applyInOrder(x, context));
        const { gradients } = pullback(
          (watch) => {
            const leaf = x.view(x.shape, x.offset, x.rowStride);
            watch(leaf);
            return { outputs: [this.transformer.forward(leaf, params).y], by: [leaf] };
          },
          [full(x.shape, 1, this.dtype)],
        );
        return gradients[0] as Tensor;
      },
    };
  }

  config(): Config {
    const { kind: _kind, outputsPerFeature: _outputs, ...made } = this.made.config();
    return { ...made, kind: 'autoregressive', transformer: this.transformer.config() };
  }
}

/** Adds `start`, repeated, to a bias. */
export function addToBias(bias: Tensor | null, start: readonly number[]): void {
  if (!bias || start.every((value) => value === 0)) return;
  const moved = Array.from(bias.dataSync(), (value, k) => {
    return Number(value) + (start[k % start.length] as number);
  });
  bias.write(bias.dtype === 'float32' ? Float32Array.from(moved) : Float64Array.from(moved));
}

/** The transformer of a config. @throws FlowError FORMAT */
export function buildTransformer(where: string, config: Config): Transformer {
  const transformer = build(config);
  if (transformer instanceof Transformer) return transformer;
  throw new FlowError(
    'FORMAT',
    expected(
      where,
      'transformer',
      'a transformer',
      `a ${transformer.config().kind}`,
      'the file was written by another version',
    ),
  );
}

type Saved = Omit<AutoregressiveOptions, 'transformer'> & {
  readonly kind: 'autoregressive';
  readonly transformer: Config;
};

register<Saved & Config>('autoregressive', (config) => {
  const transformer = buildTransformer('Autoregressive', config.transformer);
  return new Autoregressive({ ...config, transformer });
});
