/** What the tests of training share: data with a known density, small flows, comparisons to the bit. */
import { createHash } from 'node:crypto';
import { Affine } from '../../lib/bijections/affine';
import { Chain } from '../../lib/bijections/chain';
import { Logit } from '../../lib/bijections/logit';
import { type MafOptions, maf } from '../../lib/flows/autoregressive';
import type { Flow } from '../../lib/flows/flow';
import type { Module } from '../../lib/nn/module';
import { fixture } from '../reference/close';

export const features = 3;

export interface TestTable {
  readonly data: Float64Array;
  readonly rows: number;
  readonly cols: number;
}

/** Standard normal numbers by Box and Muller, from the tests' own generator. */
export function normals(seed: number, count: number): Float64Array {
  // fixture gives sums of four uniforms; the fractional part of such a sum is uniform.
  const draw = fixture(seed);
  const u = draw(8 * count).map((value) => (value + 2) % 1);
  return Float64Array.from({ length: count }, (_, k) => {
    const radius = Math.sqrt(-2 * Math.log(1 - Math.min(u[2 * k] as number, 1 - 1e-12)));
    return radius * Math.cos(2 * Math.PI * (u[2 * k + 1] as number));
  });
}

/** Rows x_0 = 1 + 2·z_0, x_1 = 0.5·x_0² − 1 + z_1, x_2 = sin(x_0) − 0.4·x_1 + 0.5·z_2. */
export function curvedRows(rows: number, seed: number): TestTable {
  const z = normals(seed, rows * features);
  const data = new Float64Array(rows * features);
  for (let n = 0; n < rows; n++) {
    const [a, b, c] = z.subarray(n * features, (n + 1) * features);
    const x0 = 1 + 2 * (a as number);
    const x1 = 0.5 * x0 ** 2 - 1 + (b as number);
    data.set([x0, x1, Math.sin(x0) - 0.4 * x1 + 0.5 * (c as number)], n * features);
  }
  return { data, rows, cols: features };
}

/** Entropy of these rows in nats: that of three normals with deviations 2, 1 and 0.5, whose product is 1. */
export const curvedEntropy = 1.5 * (1 + Math.log(2 * Math.PI));

/** Integers from 0 to 15 with a dependence between neighbours. */
export function integerRows(rows: number, seed: number, cols = 4): Uint8Array {
  const draw = fixture(seed)(rows * cols);
  const data = new Uint8Array(rows * cols);
  for (let k = 0; k < data.length; k++) {
    const before = k % cols === 0 ? 8 : (data[k - 1] as number);
    data[k] = Math.max(0, Math.min(15, Math.round(before + 3 * (draw[k] as number))));
  }
  return data;
}

export function smallMaf(options: Partial<MafOptions> = {}): Flow {
  return maf({ features, transforms: 2, hidden: [16, 16], seed: 3, ...options });
}

/** A flow of integers 0 … 15, with noise, scaling and logit before it. */
export function integerMaf(options: Partial<MafOptions> = {}): Flow {
  const cols = 4;
  return smallMaf({
    features: cols,
    dequantization: { levels: 16 },
    preprocessing: new Chain([Affine.uniform(cols, 1 / 16, 0), new Logit(cols, 1e-3)]),
    ...options,
  });
}

/** A digest of every parameter and state tensor: equal only for equal bits. */
export function digest(model: Module): string {
  const hash = createHash('sha256');
  for (const [name, tensor] of [...model.namedParameters(), ...model.namedState()]) {
    const values = tensor.dataSync();
    hash.update(name);
    hash.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }
  return hash.digest('hex');
}
