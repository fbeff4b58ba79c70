/** Base distributions of flows: densities of rows that can be sampled. */
import type { FloatDType } from '../dtype';
import { expected, FlowError } from '../errors';
import { Module } from '../nn/module';
import { RandomStream } from '../ops';
import { requireTensor } from '../ops/check';
import { checkArgument, one, orNull } from '../options';
import { formatShape } from '../shape';
import type { Tensor } from '../tensor/tensor';

const aStream = one('a RandomStream', () => RandomStream);

export abstract class Distribution extends Module {
  /** D: columns of a sample. */
  abstract readonly features: number;
  abstract readonly dtype: FloatDType;

  protected abstract rowLogProb(z: Tensor, stream: RandomStream | null): Tensor;
  protected abstract draw(samples: number, stream: RandomStream, temperature: number): Tensor;

  /** Whether gradients of a draw reach all learned parameters (the path-wise gradient, which reverse KL needs). */
  get reparameterized(): boolean {
    return true;
  }

  /**
   * @param z [N, D]
   * @param stream in training: random numbers for distributions whose normalisation is estimated by draws
   * @returns [N] float64, natural logarithm; −∞ outside of the support
   */
  logProb(z: Tensor, stream: RandomStream | null = null): Tensor {
    requireTensor(this.constructor.name, 'z', z);
    checkArgument(this.constructor.name, 'stream', stream, orNull(aStream));
    if (z.shape.length !== 2 || z.cols !== this.features) {
      throw new FlowError(
        'SHAPE',
        expected(
          this.constructor.name,
          'z',
          `shape [N, ${this.features}]`,
          formatShape(z.shape),
          'pass one row a sample',
        ),
      );
    }
    return this.rowLogProb(z, stream);
  }

  /**
   * @param temperature scales the spread around the centre (Kingma and Dhariwal 2018, Glow, section 6); 1: the
   *   distribution itself
   * @returns [samples, D]
   */
  sample(samples: number, stream: RandomStream, temperature = 1): Tensor {
    checkArgument(this.constructor.name, 'stream', stream, aStream);
    if (!Number.isSafeInteger(samples) || samples < 0) {
      throw new FlowError(
        'ARGUMENT',
        expected(
          this.constructor.name,
          'samples',
          'a whole number ≥ 0',
          String(samples),
          'pass how many rows to draw',
        ),
      );
    }
    if (!(Number.isFinite(temperature) && temperature >= 0)) {
      throw new FlowError(
        'ARGUMENT',
        expected(
          this.constructor.name,
          'temperature',
          'a number ≥ 0',
          String(temperature),
          '1 samples the distribution itself',
        ),
      );
    }
    return this.draw(samples, stream, temperature);
  }
}
