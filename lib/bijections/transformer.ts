/**
 * Transformers: increasing functions of one number, whose parameters a conditioner gives (Papamakarios et al. 2021, section 3.1).
 * One class serves autoregressive maps ({@link Autoregressive}) and couplings ({@link Coupling}).
 *
 * A transformer sees x [N, D] and params [N, D·P], the P parameters of dimension i in the columns i·P … i·P + P − 1, and
 * knows nothing of where they come from. What it learns itself, whatever the conditioner (the network of a UMNN), is a
 * parameter of its own.
 */
import { Module } from '../nn/module';
import type { MadeNetwork } from '../ops';
import type { Tensor } from '../tensor/tensor';
import type { Forward, Inverse } from './bijection';

export abstract class Transformer extends Module {
  /** P. */
  abstract readonly paramsPerFeature: number;

  /** data → noise: y_i = f(x_i; p_i), logDet = Σ log f′(x_i). */
  abstract forward(x: Tensor, params: Tensor): Forward;

  /** noise → data; with `solve` where there is no closed form. */
  abstract inverse(y: Tensor, params: Tensor): Inverse;

  /**
   * P numbers that the conditioner's last layer starts with as its biases: f near the identity, and parts that are
   * alike in form start apart, so that they do not learn the same.
   */
  startingParams(): readonly number[] {
    return new Array<number>(this.paramsPerFeature).fill(0);
  }

  /**
   * The inverse of the autoregressive map whose parameters a MADE makes of the dimensions before, all of it in one go, or
   * null where the transformer has none: then it takes a pass of the network a dimension.
   *
   * @param y [N, D] in the order of the network's inputs
   * @param addend what the context adds to the first hidden layer, or null
   */
  inverseOfMade(_y: Tensor, _made: MadeNetwork, _addend: Tensor | null): Inverse | null {
    return null;
  }
}
