/** Rows far outside of what a flow has learned, |x| = 10, 100, 10,000: log-dets and their gradients are numbers, and what the inverse finds is one. */
import { describe, expect, it } from 'vitest';
import { valueAndGradient } from '../../lib/autograd/gradient';
import type { FloatDType } from '../../lib/dtype';
import {
  bernsteinFlow,
  blockNaf,
  type Flow,
  flowpp,
  maf,
  naf,
  nsf,
  nsfAutoregressive,
  realnvp,
  residualFlow,
  sosFlow,
  umnn,
} from '../../lib/flows';
import { sum } from '../../lib/ops';
import { scope } from '../../lib/tensor/scope';
import { tensorOfArray } from '../../lib/tensor/tensor';
import { randomize } from '../bijections/cases';

const far = [-1e4, -100, -10, 10, 100, 1e4];
const rows = far.flatMap((value) => [value, 0.3, -0.7, value, value, -value]);

const recipes: Readonly<Record<string, (dtype: FloatDType) => Flow>> = {
  maf: (dtype) => maf({ features: 2, hidden: [8], transforms: 2, dtype }),
  realnvp: (dtype) => realnvp({ features: 2, hidden: [8], transforms: 3, dtype }),
  flowpp: (dtype) => flowpp({ features: 2, hidden: [8], transforms: 2, components: 3, dtype }),
  nsf: (dtype) => nsf({ features: 2, hidden: [8], transforms: 2, dtype }),
  nsfAutoregressive: (dtype) =>
    nsfAutoregressive({ features: 2, hidden: [8], transforms: 2, dtype }),
  'naf, DSF': (dtype) => naf({ features: 2, hidden: [8], transforms: 2, sigmoids: 3, dtype }),
  'naf, DDSF': (dtype) =>
    naf({ features: 2, hidden: [8], transforms: 2, sigmoids: 2, sigmoidLayers: 2, dtype }),
  sosFlow: (dtype) => sosFlow({ features: 2, hidden: [8], transforms: 1, dtype }),
  bernsteinFlow: (dtype) => bernsteinFlow({ features: 2, hidden: [8], transforms: 2, dtype }),
  umnn: (dtype) => umnn({ features: 2, hidden: [8], transforms: 2, integrand: [6], dtype }),
  blockNaf: (dtype) => blockNaf({ features: 2, hidden: [4, 4], transforms: 2, dtype }),
  residualFlow: (dtype) =>
    residualFlow({ features: 2, hidden: [8], transforms: 2, actNorm: false, dtype }),
};

describe.each(Object.keys(recipes))('%s', (kind) => {
  it.each(['float32', 'float64'] as const)('%s', (dtype) => {
    const flow = (recipes[kind] as (dtype: FloatDType) => Flow)(dtype);
    randomize(flow, 5, 0.3);
    scope(() => {
      const held = dtype === 'float32' ? Float32Array.from(rows) : Float64Array.from(rows);
      const x = tensorOfArray(held, [rows.length / 2, 2]);
      const { gradients } = valueAndGradient(
        () => sum(flow.forward(x).logDet),
        [x, ...flow.parameters()],
      );
      for (const gradient of gradients)
        for (const d of gradient?.dataSync() ?? []) expect(Number.isFinite(d)).toBe(true);
      const { y, logDet } = flow.forward(x);
      const { x: back, logDet: other, solve } = flow.inverse(y);
      for (const value of logDet.dataSync()) expect(Number.isFinite(value)).toBe(true);
      // Where a function is flat many x have one y: the one that is found has it.
      const again = flow.forward(back);
      const eps = dtype === 'float32' ? 2 ** -23 : 2 ** -52;
      const wanted = y.dataSync();
      const largest = Math.max(1e4, ...Array.from(wanted, (v) => Math.abs(Number(v))));
      if (solve) expect([...solve.converged.dataSync()]).not.toContain(0);
      // The terms of a DDSF cancel where its network is far outside: they have grown to 10⁸ and more, and its y has not.
      if (kind === 'naf, DDSF') return;
      again.y.dataSync().forEach((value, k) => {
        expect(Math.abs(Number(value) - Number(wanted[k]))).toBeLessThan(1000 * eps * largest);
      });
      again.logDet.dataSync().forEach((value, n) => {
        const sum = Math.abs(value + (other.dataSync()[n] as number));
        expect(sum).toBeLessThan(1000 * eps * Math.max(10, Math.abs(value)));
      });
    });
    flow.dispose();
  });
});
