/** A linear map by a triangular matrix: the log-determinant is read from its diagonal, the inverse is a substitution. */
import type { Config } from '../nn/module';
import { register } from '../nn/registry';
import type { LuTriangles } from '../ops';
import { checkOptions, flag, type Rules } from '../options';
import { type LinearMapOptions, linearMapRules } from './linearMap';
import { LinearOfTriangles } from './linearOfTriangles';

export interface TriangularLinearOptions extends LinearMapOptions {
  /** Whether W is lower triangular (default): channel c of the result sees the channels up to c. Else from c on. */
  readonly lower?: boolean;
}

const triangularLinearRules: Rules<TriangularLinearOptions> = {
  ...linearMapRules,
  lower: flag,
};

/** y = W x + b at each position, W = triangle + diag(s), s = sign·exp(logScale). Starts as the identity. */
export class TriangularLinear extends LinearOfTriangles {
  readonly lower: boolean;

  constructor(options: TriangularLinearOptions) {
    super(checkOptions('TriangularLinear', options, triangularLinearRules));
    this.lower = options.lower ?? true;
  }

  override get triangles(): LuTriangles {
    const { factors, logScale, sign, lower } = this;
    return { factors, logScale, sign, rows: null, form: lower ? 'lower' : 'upper' };
  }

  config(): Config {
    return { kind: 'triangularLinear', ...this.sharedConfig(), lower: this.lower };
  }
}

register<TriangularLinearOptions & Config & { kind: 'triangularLinear' }>(
  'triangularLinear',
  (config) => new TriangularLinear(config),
);
