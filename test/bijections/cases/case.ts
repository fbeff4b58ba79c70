/** What a row of the bijection contract is, and its random parameters. */
import type { Bijection } from '../../../lib/bijections';
import type { FloatDType } from '../../../lib/dtype';
import type { Module } from '../../../lib/nn';
import { SpectralLayer } from '../../../lib/nn/spectral';
import { fixture } from '../../reference/close';

export interface BijectionCase {
  readonly name: string;
  make(dtype: FloatDType): Bijection;
  /** Columns that the case is tried with. */
  readonly features: number;
  readonly contextFeatures?: number;
  /** Whether x must lie in (0, 1), or away from 0 by ½, where the map has a kink; default the real line. */
  readonly domain?: 'real' | 'unit' | 'signed';
  /** y sees only the x before: ∂y_i/∂x_j is exactly zero for j after i in this order. */
  readonly autoregressive?: boolean;
  /** log-det is zero by construction. */
  readonly volumePreserving?: boolean;
  /** The case in training, where it differs. */
  readonly training?: boolean;
  /** How well the two directions undo each other, in eps, where it is not for rounding to say; default 2000. */
  readonly roundTrip?: number;
}

/** Overwrites every parameter with random signed numbers; norms of layers are those of the new ones. */
export function randomize(module: Module, seed: number, scale = 0.6): void {
  const draw = fixture(seed);
  for (const tensor of module.parameters()) {
    const values = draw(tensor.size, scale);
    tensor.write(tensor.dtype === 'float32' ? Float32Array.from(values) : values);
  }
  for (const [, part] of module.modules()) if (part instanceof SpectralLayer) part.converge();
}

export function randomized<B extends Bijection>(bijection: B, seed: number, scale?: number): B {
  randomize(bijection, seed, scale);
  return bijection;
}
