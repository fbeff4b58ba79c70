import { afterAll, describe, expect, it } from 'vitest';
import { Permutation } from '../../lib/bijections';
import { StandardNormal } from '../../lib/distributions';
import type { FlowErrorCode } from '../../lib/errors';
import { iaf } from '../../lib/flows/autoregressive';
import { Flow } from '../../lib/flows/flow';
import { memory } from '../../lib/runtime';
import {
  adam,
  type FitOptions,
  fit,
  fitReverseKl,
  plateau,
  sgd,
  trainValidationSplit,
} from '../../lib/train';
import { curvedRows, digest, features, smallMaf } from './support';

const flow = smallMaf();
const conditional = smallMaf({ contextFeatures: 2 });
const normed = smallMaf({ batchNorm: true });
const untrained = digest(flow);
const rows = curvedRows(20, 1);
afterAll(() => {
  for (const model of [flow, conditional, normed]) model.dispose();
});

function withBad(row: number, column: number, value: number) {
  const { data, ...rest } = curvedRows(5000, 2);
  data[row * features + column] = value;
  return { data, ...rest };
}

type Row = [string, FlowErrorCode, RegExp, () => Promise<unknown>];
const one: FitOptions = { epochs: 1 };
const table: Row[] = [
  [
    'no rows',
    'DATA',
    /^\[fit\] train: expected at least one row, got none: /,
    () => fit(flow, new Float64Array(0), one),
  ],
  [
    'wrong width',
    'SHAPE',
    /^\[fit\] train: expected rows of 3 numbers, got a table of 4 columns: /,
    () => fit(flow, { data: new Float64Array(8), rows: 2, cols: 4 }, one),
  ],
  [
    'ragged rows',
    'SHAPE',
    /^\[fit\] train: .*got 2 in row 1/,
    () =>
      fit(
        flow,
        [
          [1, 2, 3],
          [1, 2],
        ],
        one,
      ),
  ],
  [
    'wrong width of validation',
    'SHAPE',
    /^\[fit\] validation: expected rows of 3 numbers, got an array of 4 numbers/,
    () => fit(flow, rows, { ...one, validation: new Float32Array(4) }),
  ],
  [
    'a NaN in the data',
    'DATA',
    /^\[fit\] train, row 4567 \(counted from 0\), column 1: expected a finite number, got NaN: /,
    () => fit(flow, withBad(4567, 1, Number.NaN), one),
  ],
  [
    'an infinity in a table with names',
    'DATA',
    /^\[fit\] prices\.csv, row 0 \(counted from 0\), column "high": .* got -Infinity: /,
    () =>
      fit(
        flow,
        { ...withBad(0, 2, -Infinity), columns: ['low', 'mean', 'high'], source: 'prices.csv' },
        one,
      ),
  ],
  [
    'a value too large for float32',
    'DATA',
    /row 3 .*column 0: expected a finite number, got Infinity/,
    () => fit(flow, withBad(3, 0, 1e39), one),
  ],
  [
    'a NaN in the validation data',
    'DATA',
    /^\[fit\] validation, row 7 /,
    () => fit(flow, rows, { ...one, validation: withBad(7, 1, Number.NaN) }),
  ],
  [
    'a context that the model does not take',
    'ARGUMENT',
    /context of train: expected none, got one/,
    () => fit(flow, rows, { ...one, context: rows.data }),
  ],
  [
    'a missing context',
    'ARGUMENT',
    /context of train: expected rows of 2 numbers, got none: /,
    () => fit(conditional, rows, one),
  ],
  [
    'a context of other rows',
    'SHAPE',
    /context of train: expected 20 rows, got 3: /,
    () => fit(conditional, rows, { ...one, context: new Float32Array(6) }),
  ],
  [
    'a NaN in the context',
    'DATA',
    /context of train, row 1 .*column 0/,
    () => fit(conditional, rows, { ...one, context: new Float32Array(40).fill(Number.NaN, 2) }),
  ],
  [
    'a missing context of the validation',
    'ARGUMENT',
    /context of validation/,
    () => fit(conditional, rows, { ...one, context: new Float32Array(40), validation: rows }),
  ],
  [
    'a batch larger than the data',
    'ARGUMENT',
    /batchSize: expected a whole number from 1 to 20, .*got 21: /,
    () => fit(flow, rows, { ...one, batchSize: 21 }),
  ],
  [
    'a batch of half a row',
    'ARGUMENT',
    /batchSize/,
    () => fit(flow, rows, { ...one, batchSize: 0.5 }),
  ],
  [
    'batch norm over one row',
    'ARGUMENT',
    /batchSize: expected at least 2 with batch norm/,
    () => fit(normed, rows, { ...one, batchSize: 1 }),
  ],
  ['no end', 'ARGUMENT', /something that ends the training/, () => fit(flow, rows)],
  ['half an epoch', 'ARGUMENT', /epochs: .*got 0.5/, () => fit(flow, rows, { epochs: 0.5 })],
  ['no steps', 'ARGUMENT', /steps: .*got 0/, () => fit(flow, rows, { steps: 0 })],
  ['no patience', 'ARGUMENT', /patience/, () => fit(flow, rows, { ...one, patience: 0 })],
  ['a decay of 1', 'ARGUMENT', /ema: .*got 1/, () => fit(flow, rows, { ...one, ema: 1 })],
  ['a norm of 0', 'ARGUMENT', /clipNorm/, () => fit(flow, rows, { ...one, clipNorm: 0 })],
  ['a seed of 1.5', 'ARGUMENT', /seed/, () => fit(flow, rows, { ...one, seed: 1.5 })],
  [
    'no time',
    'ARGUMENT',
    /timeLimitSeconds/,
    () => fit(flow, rows, { ...one, timeLimitSeconds: 0 }),
  ],
  [
    'a negative learning rate',
    'ARGUMENT',
    /^\[adam\] lr: expected a number ≥ 0, got -1/,
    async () => fit(flow, rows, { ...one, optimizer: adam({ lr: -1 }) }),
  ],
  ['a momentum of 1', 'ARGUMENT', /^\[sgd\] momentum/, async () => sgd({ momentum: 1 })],
  ['a plateau factor of 2', 'ARGUMENT', /^\[plateau\] factor/, async () => plateau({ factor: 2 })],
  [
    'a checkpoint that is a string',
    'ARGUMENT',
    /checkpoint: expected { path }, got x: /,
    () => fit(flow, rows, { ...one, checkpoint: 'x' as never }),
  ],
  [
    'a checkpoint every −1 seconds',
    'ARGUMENT',
    /checkpoint\.everySeconds/,
    () => fit(flow, rows, { ...one, checkpoint: { path: 'x', everySeconds: -1 } }),
  ],
  [
    'nothing to learn',
    'ARGUMENT',
    /parameters to learn, got none/,
    async () => {
      const bijection = Permutation.reverse(features);
      const fixed = new Flow({ base: new StandardNormal(features), bijection });
      try {
        await fit(fixed, rows, one);
      } finally {
        fixed.dispose();
      }
    },
  ],
  [
    'a loss of many numbers',
    'SHAPE',
    /one element, got \[20\]/,
    () =>
      fit(flow, rows, { ...one, loss: ({ model, x }) => model.logProbOfRows(x, null, 'model') }),
  ],
  [
    'a split that leaves nothing',
    'ARGUMENT',
    /fraction/,
    async () => trainValidationSplit(curvedRows(1, 1), 0.5),
  ],
  [
    'a density that does not give one number a row',
    'SHAPE',
    /logDensity: expected one number a row: shape \[8\], got \[8, 3\]/,
    async () => {
      const inverse = iaf({ features, transforms: 1, hidden: [8] });
      try {
        await fitReverseKl(inverse, (x) => x, { samples: 8, steps: 1 });
      } finally {
        inverse.dispose();
      }
    },
  ],
  [
    'no draws',
    'ARGUMENT',
    /^\[fitReverseKl\] samples/,
    () => fitReverseKl(flow, (x) => x, { samples: 0, steps: 1 }),
  ],
];

describe('errors of training', () => {
  it.each(table)('%s: %s', async (_name, code, pattern, run) => {
    const before = memory().buffers;
    const error = await run().then(
      () => null,
      (thrown: unknown) => thrown as Error & { code?: string },
    );
    expect(error?.message).toMatch(pattern);
    expect(error?.code).toBe(code);
    // The remedy is the last part of every sentence.
    expect(error?.message.split(': ').length).toBeGreaterThanOrEqual(3);
    expect(memory().buffers).toBe(before);
  });

  it('leave the model as it was', () => {
    expect(digest(flow)).toBe(untrained);
    expect(flow.training).toBe(false);
  });
});
