/** Every kernel against its plain loop in native/reference. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { valueAndGradient } from '../../lib/autograd/gradient';
import { type DType, type FloatDType, typedArray } from '../../lib/dtype';
import { native } from '../../lib/native';
import { cast, mul, sum } from '../../lib/ops';
import { sizeOf } from '../../lib/shape';
import { scope } from '../../lib/tensor/scope';
import { type Tensor, tensorOfArray } from '../../lib/tensor/tensor';
import { PACKAGE_ROOT } from '../command';
import type { OpCase } from '../contract/opCase';
import { contracts } from '../ops';
import { fixture } from '../reference/close';
import { instructions } from './cases';
import { shadowed } from './shadow';

/** Ops without a plain loop, and why. */
const exempt: Readonly<Record<string, string>> = {
  monotone: 'test/reference/monotone.ts has the functions by their definitions',
  monotone_grad: 'the contract compares it with differences of these',
  monotone_inverse: 'the contract compares it with roots of these',
  block_inverse: 'the contract compares it with bisections of the definition',
  // A whole network pixel by pixel: test/models/pixel.test.ts compares it bit for bit with passes over all pixels.
  pixel_sample: 'an interpreter of the ops that have plain loops',
};

const floats: readonly FloatDType[] = ['float32', 'float64'];
const compared = new Map<string, number>();

describe('the table of the plain loops', () => {
  it('lacks no op but the exempt ones', () => {
    const lacking = native.ops.filter((_, code) => {
      // No operands at all: every op that is there fails, with another sentence.
      native.runReference(Float64Array.of(code, 0, 0, 0));
      return native.lastError().includes('does not have this op');
    });
    expect(lacking.sort()).toEqual(Object.keys(exempt).sort());
  });

  it('is what bench/cases measures: each op has a row there', () => {
    const folder = join(PACKAGE_ROOT, 'bench/cases');
    const bench = readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.mjs'))
      .map((file) => readFileSync(join(folder, file), 'utf8'))
      .join('\n');
    // The affine maps are made by suffix.
    const rows = [...bench.matchAll(/kernel\(\s*['`](\w+)/g)].map((match) => match[1] as string);
    const found = (op: string) =>
      rows.includes(op.replace(/^(autoregressive_affine|affine_coupling).*$/, '$1'));
    expect(native.ops.filter((op) => !found(op))).toEqual([]);
  });

  it('refuses operands that do not fit', () => {
    const handle = native.alloc(0, 6);
    const matrix = [handle, 0, 0, 2, 3, 3];
    const status = native.runReference(
      Float64Array.of(
        native.ops.indexOf('accumulate'),
        2,
        1,
        0,
        ...matrix,
        ...matrix,
        handle,
        0,
        0,
        2,
        2,
        3,
      ),
    );
    expect([status, native.lastError()]).toEqual([
      5,
      expect.stringMatching(/^\[accumulate\] reference: the operands do not fit: /),
    ]);
    native.free(handle);
  });
});

describe.each(floats)('%s instructions', (dtype) => {
  for (const [n, d] of [
    [1, 1],
    [5, 17],
    [70, 33],
  ] as const) {
    describe(`${n} × ${d}`, () => {
      it.each(instructions(dtype, n, d))('%s', (_, run) => {
        scope(() => shadowed(compared, run));
      });
    });
  }

  afterAll(() => {
    const wanted = native.ops.filter((op) => !(op in exempt));
    expect(
      wanted.filter((op) => !compared.has(op)),
      'ops that were never compared',
    ).toEqual([]);
  });
});

/** The inputs of a contract row. */
function inputsOf(test: OpCase, dtype: FloatDType): Tensor[] {
  const draw = fixture(test.name.length);
  return test.inputs.map((input) => {
    const type: DType = input.dtype ?? dtype;
    const values = (input.values ?? ((source, length) => source(length)))(
      draw,
      sizeOf(input.shape),
    );
    const array = typedArray(type, values.length);
    array.set(values as number[]);
    return tensorOfArray(array, input.shape);
  });
}

/** Those whose ops all have a plain loop. */
const compare = contracts.filter(({ native: ops }) => !ops.some((op) => op in exempt));

describe.each(compare.map((contract) => [contract.module, contract] as const))(
  'contract rows of %s',
  (_, contract) => {
    it.each(contract.cases.map((test) => [test.name, test] as const))('%s', (_, test) => {
      for (const dtype of test.dtypes ?? floats) {
        scope(() => {
          const tensors = inputsOf(test, dtype);
          const by = tensors.filter((tensor) => tensor.dtype.startsWith('float'));
          const run = () => [test.run(...tensors)].flat();
          shadowed(compared, () => {
            if (test.gradient === false || by.length === 0) return run();
            return valueAndGradient(() => {
              const outputs = run().filter(({ dtype: type }) => type.startsWith('float'));
              const terms = outputs.map((output) => sum(cast(mul(output, output), 'float64')));
              return terms.reduce((a, b) => sum(mul(a, b)));
            }, by);
          });
        });
      }
    });
  },
);
