/** Small autoencoders for tests, freed after each. */
import { rmSync } from 'node:fs';
import { afterEach } from 'vitest';
import { type Vae, type VaeOptions, vae } from '../../lib/models';
import { randomize } from '../bijections/cases';
import { own } from '../disposables';

export const folders: string[] = [];
export function make(
  options: Partial<VaeOptions> & { latents: number },
  seed?: number,
  scale = 0.6,
): Vae {
  const model = own(
    vae({ features: 4, hidden: [5], activation: 'tanh', dtype: 'float64', ...options }),
  );
  if (seed !== undefined) randomize(model, seed, scale);
  return model;
}
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

export const iaf = { transforms: 2, hidden: [6], contextFeatures: 2 } as const;
export const bits = (rows: number, features: number) =>
  Uint8Array.from({ length: rows * features }, (_, k) =>
    (Math.floor(k / features) * 7 + (k % features) * 3) % 5 < 2 ? 1 : 0,
  );
