/** What recipes refuse, and what comes back from a file. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { conditionerSizes, Sylvester } from '../../lib/bijections';
import { isFlowError } from '../../lib/errors';
import {
  blockNaf,
  Flow,
  glow,
  iaf,
  made,
  maf,
  naf,
  nsf,
  nsfAutoregressive,
  realnvp,
  residualFlow,
  sosFlow,
  umnn,
} from '../../lib/flows';
import { modelMetadata } from '../../lib/flows/modelFile';
import { iafPosterior, mafPrior } from '../../lib/models';
import { type Config, Module } from '../../lib/nn/module';

const folder = mkdtempSync(join(tmpdir(), 'options-'));
afterAll(() => rmSync(folder, { recursive: true }));

const table = { features: 2, hidden: [4] };
const image = { height: 4, width: 4, channels: 1 };
// Words as they come from JavaScript, or from a file.
const word = 'wrong' as never;
const refused: readonly (readonly [string, () => unknown, RegExp])[] = [
  [
    'the part of a coupling',
    () => conditionerSizes(4, { kind: 'columns', transforms: 'first' } as never),
    /\[conditionerSizes\] split: expected .* transformed: .first. or .second. .*, got { kind: columns, transforms: first }/,
  ],
  [
    'nsf',
    () => nsf({ ...table, permutation: word }),
    /\[nsf\] permutation: expected lu, random or swap/,
  ],
  [
    'nsfAutoregressive',
    () => nsfAutoregressive({ ...table, permutation: word }),
    /permutation: expected lu, reverse, random or none, got wrong/,
  ],
  ['maf', () => maf({ ...table, permutation: word }), /\[maf\] permutation: expected reverse/],
  ['iaf', () => iaf({ ...table, permutation: word }), /\[iaf\] permutation/],
  ['made', () => made({ ...table, permutation: word } as never), /\[made\] permutation/],
  ['naf', () => naf({ ...table, permutation: word }), /\[naf\] permutation/],
  ['blockNaf', () => blockNaf({ features: 2, permutation: word }), /\[blockNaf\] permutation/],
  [
    'realnvp',
    () => realnvp({ ...table, permutation: word }),
    /\[realnvp\] permutation: expected swap or random/,
  ],
  [
    'glow',
    () => glow({ image, scales: 1, permutation: word }),
    /\[glow\] permutation: expected lu, .* or periodic, got wrong/,
  ],
  ['glow', () => glow({ image, scales: 1, coupling: word }), /coupling: expected affine or/],
  ['umnn', () => umnn({ ...table, bound: Infinity }), /bound: expected a finite number above 0/],
  ['umnn', () => umnn({ ...table, leastSlope: 0 }), /leastSlope: expected a finite number above/],
  [
    'realnvp beyond the memory',
    () => realnvp({ features: 1e7, hidden: [1e7] }),
    /size of a layer: expected at most the \d+ GiB of this machine, got \d+ parameters/,
  ],
  [
    'Sylvester',
    () => new Sylvester({ features: 4, basis: 'triangular', reflections: 2 }),
    /reflections: expected none with the basis triangular/,
  ],
  [
    'Sylvester',
    () => new Sylvester({ features: 4, basis: 'householder', columns: 2 }),
    /columns: expected none with the basis householder/,
  ],
  [
    'Sylvester',
    () => new Sylvester({ features: 4, reversed: true }),
    /reversed: expected none with the basis orthogonal/,
  ],
];
it.each(refused)('%s refuses what it has not: %#', (_name, make, says) => {
  expect(make).toThrow(says);
});

it.each([Number.NaN, 0, 2.5, 20_000])('a chain of %d transforms is none', (transforms) => {
  const makers: readonly (() => unknown)[] = [
    () => maf({ ...table, transforms }),
    () => umnn({ ...table, transforms }),
    () => blockNaf({ features: 2, transforms }),
    () => nsf({ ...table, transforms }),
    () => realnvp({ ...table, transforms }),
    () => residualFlow({ features: 2, transforms }),
    () => mafPrior({ latents: 2, transforms }),
    () => iafPosterior({ latents: 2, contextFeatures: 1, transforms }),
  ];
  for (const make of makers) {
    expect(make).toThrow(
      /(transforms|steps): expected a whole number from 1 to 10000, got .*: correct/,
    );
  }
});

it('a polynomial without bound is saved as one', async () => {
  const path = join(folder, 'sos.safetensors');
  using flow = sosFlow({ ...table, bound: Infinity, transforms: 2, seed: 1 });
  await flow.save(path);
  using loaded = await Flow.load(path);
  expect(loaded.config()).toEqual(flow.config());
  const far = [
    [30, -40],
    [0.5, 12],
  ];
  expect(loaded.logProb(far).toArray()).toEqual(flow.logProb(far).toArray());
  using bounded = sosFlow({ ...table, transforms: 2, seed: 1 });
  expect(bounded.logProb(far).toArray()).not.toEqual(flow.logProb(far).toArray());
});

it('a number that JSON has not is not saved', () => {
  class Odd extends Module {
    config(): Config {
      return { kind: 'odd', sizes: { bound: -Infinity } };
    }
  }
  expect(() => modelMetadata(new Odd())).toThrow(
    /\[save\] odd: bound: expected a finite number.*got -Infinity/,
  );
});

describe('what JavaScript lets through', () => {
  const without = <T>(options: object) => options as T;
  it.each([
    [
      'maf without widths',
      () => maf(without({ features: 2 })),
      /\[maf\] hidden: expected a list of widths, at least one, got undefined/,
    ],
    [
      'a width in words',
      () => realnvp(without({ features: 4, hidden: '64' })),
      /\[realnvp\] hidden: expected a list of widths, at least one, got the text .64./,
    ],
    [
      'glow without an image',
      () => glow(without({})),
      /\[glow\] image: expected \{ height, width, channels \}.*, got undefined/,
    ],
    [
      'a type that there is not',
      () => maf(without({ features: 2, hidden: [8], dtype: 'half' })),
      /dtype: expected float32, float64, int32 or uint8, got half/,
    ],
    [
      'no options',
      () => maf(without(undefined as never)),
      /\[maf\] options: expected an object, got undefined: pass \{ /,
    ],
    [
      'a misspelt option',
      () => maf(without({ features: 2, hidden: [8], batchnorm: true })),
      /\[maf\] batchnorm: expected no option of this name, got one: did you mean batchNorm\? the options are base, /,
    ],
  ])('%s', (_name, make, says) => {
    let thrown: unknown;
    try {
      make();
    } catch (error) {
      thrown = error;
    }
    expect(isFlowError(thrown), String(thrown)).toBe(true);
    expect((thrown as Error).message).toMatch(says);
  });
});
