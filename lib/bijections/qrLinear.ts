/**
 * A linear map by its QR decomposition: W = Q·R, Q a product of Householder reflections, R upper triangular. Hoogeboom, van
 * den Berg, Welling 2019, "Emerging Convolutions for Generative Normalizing Flows", section 4.
 */
import { zeros } from '../nn/initialization';
import type { Config } from '../nn/module';
import { register } from '../nn/registry';
import { householder, type LuTriangles, luInverseChannels, luSolve, matmul, sum } from '../ops';
import { checkOptions, type Rules } from '../options';
import type { Tensor } from '../tensor/tensor';
import { LinearMap } from './linearMap';
import { composing, inverting } from './luWeights';
import type { OrthogonalLinearOptions } from './orthogonalLinear';
import { orthogonalLinearRules } from './orthogonalLinear';
import { identityOf, reflectionVectors } from './reflections';

export type QrLinearOptions = OrthogonalLinearOptions;

const qrLinearRules: Rules<QrLinearOptions> = {
  ...orthogonalLinearRules,
};

/**
 * y = Q R x + b at each position, R = triangle + diag(s), s = sign·exp(logScale). Starts as a random rotation: R is the
 * identity. Unlike W = P·L·U with its fixed P it reaches every invertible matrix whose R has the signs of the start.
 */
export class QrLinear extends LinearMap {
  readonly reflections: number;
  readonly seed: number;
  /** [K, C]: Q = H_K ⋯ H_1. */
  readonly vectors: Tensor;
  /** [C, C]: the transpose of R, so below the diagonal; all else is 0 and stays so. */
  readonly factors: Tensor;
  /** [C]: log|s|. */
  readonly logScale: Tensor;
  /** [C]: signs of s, state. */
  readonly sign: Tensor;
  readonly #identity: Tensor;

  readonly #composed = this.derive(composing, () => this.triangles);
  readonly #inverse =
    this.channels <= luInverseChannels ? this.derive(inverting, () => this.triangles) : null;

  constructor(options: QrLinearOptions) {
    super(checkOptions('QrLinear', options, qrLinearRules));
    const { channels, dtype } = this;
    this.reflections = options.reflections ?? channels;
    this.seed = options.seed ?? 0;
    this.vectors = this.parameter(
      'vectors',
      reflectionVectors('QrLinear', this, this.reflections, this.seed),
    );
    this.factors = this.parameter('factors', zeros([channels, channels], dtype));
    this.logScale = this.parameter('logScale', zeros([channels], dtype));
    this.sign = this.state('sign', this.tensorOf(new Float64Array(channels).fill(1), [channels]));
    this.#identity = this.own(identityOf(this));
  }

  /** R transposed. */
  get triangles(): LuTriangles {
    const { factors, logScale, sign } = this;
    return { factors, logScale, sign, rows: null, form: 'lower' };
  }

  // x' R' Q': from the left for few rows, from the right, with the matrix first, for many.
  protected override applyForward(x: Tensor) {
    const { vectors } = this;
    const [transposed, logAbsDet] = this.#composed.tensors();
    const y =
      x.rows < this.channels
        ? householder(matmul(x, transposed), vectors)
        : matmul(x, householder(transposed, vectors));
    return { out: this.plusBias(y), logAbsDet };
  }

  protected override applyInverse(y: Tensor) {
    const { vectors, triangles } = this;
    const given = this.minusBias(y);
    const [inverse, logAbsDet] = this.#inverse?.tensors() ?? [
      null,
      sum(this.logScale, undefined, { dtype: 'float64' }),
    ];
    const solved = (rows: Tensor) => {
      const turned = householder(rows, vectors, { reverse: true });
      return inverse ? matmul(turned, inverse) : luSolve(turned, triangles, { transpose: true });
    };
    const x = y.rows < this.channels ? solved(given) : matmul(given, solved(this.#identity));
    return { out: x, logAbsDet };
  }

  config(): Config {
    const { reflections, seed } = this;
    return { kind: 'qrLinear', ...this.sharedConfig(), reflections, seed };
  }
}

register<QrLinearOptions & Config & { kind: 'qrLinear' }>(
  'qrLinear',
  (config) => new QrLinear(config),
);
