/**
 * Every public function and class, called as plain JavaScript lets it be called: with each argument, and each option, replaced by what
 * cannot be meant. What comes is a FlowError that says what was expected, what was got and what to do, and nothing is left in memory;
 * or the call takes it, as some take an empty list.
 */
import { rmSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { isFlowError } from '../../lib/errors';
import * as library from '../../lib/index';
import { Module } from '../../lib/nn';
import { memory } from '../../lib/runtime';
import { tensor } from '../../lib/tensor/create';
import { calls } from './calls';
import { file, folder } from './files';

const exported = library as unknown as Readonly<Record<string, unknown>>;
type AnyFunction = (...args: readonly unknown[]) => unknown;

/** Abstract classes, what takes any value or nothing, and what is called by the modules of the house with operands of their own. */
const notCalled = new Set(
  [
    'Bijection Conditioner Derived Distribution Likelihood LinearMap Module PixelLikelihood PixelModel Tensor Transformer',
    'DequantizedFlow FlowError SpectralLayer Vae',
    'backends build getThreads isFlowError memory register trimMemory withoutUndefined',
    'adam adamState sgd sgdState columnsOfInput conditionNumber distillation extentsOver fitsUmnn forwardByFeature hiddenDegrees',
    'inputDegrees isByFeature luFactorSolve madeUmnnInverse mergeSolves momentLogDensity negativeLogLikelihood orderOf orthogonal',
    'pixelSample receptiveField repeatDegrees residualSeries samplesOf solved sylvesterMapInverse unsolvedRows',
    'variationalDequantization waveGenerate wavefrontSolve',
  ].flatMap((line) => line.split(' ')),
);

/** What they take beside a table, an image or triangles is data, in which more may stand. */
const takesMore = new Set([
  ...['Squeeze', 'batchNormFixed', 'checkCouplingScale', 'checkerboard', 'conditionerSizes'],
  ...['couplingSizes', 'imageShapeOf', 'imageSheet', 'logScaleOf', 'luCompose', 'luSolve'],
  ...['padImages', 'squeeze', 'squeezed', 'toMono', 'trainValidationSplit', 'unsqueeze'],
  ...['writeCsv', 'writeNpy', 'writeWav', 'AffineCoupling', 'Coupling', 'scale', 'emergingConv'],
]);

const disposed = () => {
  const gone = tensor([[1, 2]]);
  gone.dispose();
  return gone;
};
const wrong: readonly (readonly [string, () => unknown])[] = [
  ['undefined', () => undefined],
  ['null', () => null],
  ['{}', () => ({})],
  ['[]', () => []],
  ['a text', () => file('no such folder/file')],
  ['NaN', () => Number.NaN],
  ['-1', () => -1],
  ['0.5', () => 0.5],
  ['0', () => 0],
  ['10n', () => 10n],
  ['true', () => true],
  ['a function', () => () => 1],
  ['ragged rows', () => [[1, 2], [3]]],
  ['a disposed tensor', disposed],
  ['int32 [3]', () => tensor(Int32Array.of(1, 2, 3))],
  ['[3, 5, 7]', () => tensor(new Float32Array(105), { shape: [3, 5, 7] })],
  ['[0, 2]', () => tensor(new Float32Array(0), { shape: [0, 2] })],
];

function call(name: string, args: readonly unknown[]): unknown {
  const method = /[#.](.+)$/.exec(name)?.[1];
  if (method !== undefined) {
    const [self, ...rest] = args;
    return (self as Record<string, AnyFunction>)[method]?.(...rest);
  }
  const given = exported[name] as AnyFunction & (new (...args: readonly unknown[]) => unknown);
  if (/^class/.test(Function.prototype.toString.call(given))) return new given(...args);
  return given(...args);
}

function free(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  for (const part of [value, ...Object.values(value)]) {
    const dispose = (part as { dispose?: unknown } | null)?.dispose;
    if (typeof dispose === 'function' && (part === value || !(value instanceof Module)))
      dispose.call(part);
  }
}

/** Null where the call takes it or says well why not; else what is wrong with it. */
async function complaint(name: string, args: readonly unknown[]): Promise<string | null> {
  const before = memory().buffers;
  try {
    free(await call(name, args));
    return null;
  } catch (error) {
    if (!isFlowError(error)) return `${error}`;
    // Sentences of the kernels have no remedy.
    const form =
      error.code === 'NATIVE'
        ? /^\[.+\] .+/
        : /^\[.+\] [\s\S]+ expected [\s\S]+, got [\s\S]*: [\s\S]+/;
    if (!form.test(error.message)) return error.message;
    const left = memory().buffers - before;
    return left > 0 && error.code !== 'NATIVE' ? `${left} tensors left: ${error.message}` : null;
  }
}

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;

afterAll(() => rmSync(folder, { recursive: true }));

it('every public function and class is called here', () => {
  const functions = Object.keys(exported).filter((name) => typeof exported[name] === 'function');
  const missing = functions.filter((name) => !(name in calls) && !notCalled.has(name));
  expect(missing, 'add a right call to test/misuse').toEqual([]);
});

describe('called wrongly', () => {
  it.each(Object.entries(calls))('%s', async (name, make) => {
    const found: string[] = [];
    const note = async (what: string, args: readonly unknown[]) => {
      const got = await complaint(name, args);
      if (got !== null) found.push(`${what}: ${got}`);
    };
    const right = make();
    await note('right', right);
    for (let i = /[#.]/.test(name) ? 1 : 0; i < right.length; i++) {
      for (const [label, value] of wrong) {
        await note(`argument ${i} = ${label}`, make().with(i, value()));
      }
      if (!isPlain(right[i])) continue;
      const changed = (change: object) => {
        const args = make();
        return args.with(i, { ...(args[i] as object), ...change });
      };
      for (const option of Object.keys(right[i] as object)) {
        for (const [label, value] of wrong) {
          await note(`${option} = ${label}`, changed({ [option]: value() }));
        }
      }
      if (takesMore.has(name)) continue;
      const misspelt = await Promise.resolve()
        .then(() => call(name, changed({ hiden: [3] })))
        .then(free, (error: unknown) => error);
      if (!isFlowError(misspelt)) found.push(`a misspelt option: ${misspelt}`);
    }
    expect(found).toEqual([]);
  });
});
