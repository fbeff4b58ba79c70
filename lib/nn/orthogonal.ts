/** Random rotations: starting values of linear maps that keep lengths. */
import { householder, type RandomStream } from '../ops';
import { scope } from '../tensor/scope';
import { type Tensor, tensorOfArray } from '../tensor/tensor';
import { claimElements } from './initialization';

/**
 * A random orthogonal matrix [size, size], float64, uniform (by Haar's measure): the Q of the QR decomposition of a matrix
 * of normal numbers, whose R has a positive diagonal. Its Householder vectors are drawn one by one, because what they leave
 * of the matrix is normal again (Stewart 1980, "The efficient generation of random orthogonal matrices").
 */
export function orthogonal(stream: RandomStream, size: number): Tensor {
  claimElements(size * size);
  return scope(() => {
    const vectors = stream.normal([size, size], 'float64').dataSync();
    const signs = new Float64Array(size);
    for (let k = 0; k < size; k++) {
      const row = vectors.subarray(k * size, (k + 1) * size);
      row.fill(0, 0, k);
      let squares = 0;
      for (const value of row) squares += value * value;
      const first = row[k] as number;
      const sign = first < 0 ? -1 : 1;
      // H_k takes the vector to −sign·length·e_k; a vector of zeros, which has no direction, is as good as e_k.
      row[k] = squares > 0 ? first + sign * Math.sqrt(squares) : 1;
      signs[k] = -sign;
    }
    const diagonal = new Float64Array(size * size);
    for (let k = 0; k < size; k++) diagonal[k * (size + 1)] = signs[k] as number;
    // The rows of the diagonal matrix, reflected: D·H_1 ⋯ H_n, the transpose of such a Q and as random as it.
    return householder(tensorOfArray(diagonal, [size, size]), tensorOfArray(vectors, [size, size]));
  });
}
