import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tensor } from '../../lib';
import type { Bijection } from '../../lib/bijections';
import { readNpy } from '../../lib/data/readers/npy';
import { writeNpy } from '../../lib/data/writers/npy';
import { Flow } from '../../lib/flows';
import { bananaEntropy, flowKernels, normals, uniforms, workFolder, writeBanana } from './harness';

const folder = workFolder();
const data = folder.at('banana.csv');
const run = folder.at('run');
const training = ['--columns', 'x,y', '--hidden', '48,48', '--epochs', '60', '--lr', '3e-3'];
beforeAll(async () => {
  writeBanana(data, 4000);
  writeBanana(folder.at('test.csv'), 4000, 99);
  const words = [...training, '--test', folder.at('test.csv'), '--out', run, '--json'];
  const { status, stdout, stderr } = await flowKernels('train', data, ...words);
  expect([status, stderr]).toEqual([0, expect.stringMatching(/wrote .*run\n$/)]);
  expect(JSON.parse(stdout)).toEqual(JSON.parse(readFileSync(`${run}/report.json`, 'utf8')));
});
afterAll(folder.remove);

const report = () => JSON.parse(readFileSync(`${run}/report.json`, 'utf8'));

describe('train', () => {
  it('finds a density close to the true one', () => {
    const { test } = report();
    // The mean of −log p has the entropy as its least value; 0.05 nats of model error are allowed, and the noise of
    // the mean four times over.
    const loss = -test.nats.data;
    expect(loss).toBeGreaterThan(bananaEntropy - 4 * test.standardError);
    expect(loss).toBeLessThan(bananaEntropy + 0.05 + 4 * test.standardError);
    expect(test.rows).toBe(4000);
    expect(test.bitsPerDim).toBeCloseTo(loss / (2 * Math.LN2), 10);
  });

  it('reports spaces that differ by the log of the standardisation', () => {
    const { test, data: used } = report();
    expect(used.rows).toEqual({ train: 3600, validation: 400, test: 4000 });
    // x has deviation 2, y = z² + noise has √(2 + 0.25): of 3600 rows, so to a few percent.
    const logFactors = Math.log(2) + 0.5 * Math.log(2.25);
    expect(test.nats.model - test.nats.data).toBeGreaterThan(logFactors - 0.15);
    expect(test.nats.model - test.nats.data).toBeLessThan(logFactors + 0.15);
  });

  it('leaves model, report, curves and checkpoint', () => {
    for (const name of ['model.safetensors', 'checkpoint.safetensors', 'run.json']) {
      expect(existsSync(`${run}/${name}`)).toBe(true);
    }
    expect(readFileSync(`${run}/curves.svg`, 'utf8')).toMatch(/^<svg|^<\?xml/);
    expect(existsSync(`${run}/samples.png`)).toBe(false);
    const { training: facts, environment, history, command } = report();
    expect(facts.epochs).toBe(history.length);
    expect(facts.steps).toBe(Math.ceil(3600 / 256) * facts.epochs);
    expect(environment.node).toBe(process.versions.node);
    expect(command).toMatch(/^flow-kernels train .*banana\.csv --columns x,y/);
  });

  it('gives the same weights for the same seed, and others for another', async () => {
    const weights = async (name: string, seed: string) => {
      const out = folder.at(name);
      const words = ['--columns', 'x,y', '--hidden', '16', '--epochs', '2', '--seed', seed];
      expect(await flowKernels('train', data, ...words, '--out', out, '-q')).toEqual({
        status: 0,
        stdout: '',
        stderr: '',
      });
      const flow = await Flow.load(`${out}/model.safetensors`);
      const all = flow.parameters().map((parameter) => [...parameter.dataSync()]);
      flow.dispose();
      return JSON.stringify(all);
    };
    const first = await weights('seed-1a', '1');
    expect(await weights('seed-1b', '1')).toBe(first);
    expect(await weights('seed-2', '2')).not.toBe(first);
  });

  it('learns a conditional density', async () => {
    // y | c ~ N(10·c, 0.1²)
    const [uniform, normal] = [uniforms(5), normals(6)];
    const lines = ['c,y'];
    for (let row = 0; row < 2000; row++) {
      const c = uniform() > 0.5 ? 1 : -1;
      lines.push(`${c},${(10 * c + 0.1 * normal()).toFixed(6)}`);
    }
    writeFileSync(folder.at('conditional.csv'), `${lines.join('\n')}\n`);
    const out = folder.at('conditional');
    const words = [
      '--context-columns',
      'c',
      '--hidden',
      '32',
      '--transforms',
      '2',
      '--epochs',
      '60',
    ];
    const trained = await flowKernels(
      ...['train', folder.at('conditional.csv'), ...words, '--lr', '1e-2', '--out', out, '-q'],
    );
    expect(trained).toMatchObject({ status: 0, stderr: '' });
    const flow = await Flow.load(`${out}/model.safetensors`);
    const { y: seen } = (flow.contextPreprocessing as Bijection).forward(tensor([[-1], [1]]));
    expect(Math.abs(seen.toArray()[0]! + 1)).toBeLessThan(0.1);
    expect(seen.toArray()[0]).not.toBe(-1);
    for (const each of [seen, flow]) each.dispose();
    for (const c of [-1, 1]) {
      const drawn = await flowKernels(
        'sample',
        out,
        '-n',
        '200',
        '--context',
        `${c}`,
        '--seed',
        '1',
      );
      const values = drawn.stdout.trim().split('\n').slice(1).map(Number);
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      expect(Math.abs(mean - 10 * c)).toBeLessThan(0.5);
    }
    writeFileSync(folder.at('contexts.csv'), 'c\n1\n-1\n1\n');
    const three = await flowKernels('sample', out, '--context-file', folder.at('contexts.csv'));
    const signs = three.stdout.trim().split('\n').slice(1).map(Number).map(Math.sign);
    expect(signs).toEqual([1, -1, 1]);
    const told = await flowKernels('sample', out, '-n', '2');
    expect(told).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/--context with 1 num/),
    });
  });

  it.each([
    ['iaf', ['--transforms', '2', '--base', 'student-t']],
    ['made', []],
    ['realnvp', ['--transforms', '4', '--batch-norm', '--permutation', 'random']],
    ['realnvp', ['--scale-bound', '3', '--residual']],
    ['nice', ['--base', 'mixture', '--components', '4']],
    ['residual', ['--transforms', '2', '--norm', 'learned']],
    ['nsf', ['--transforms', '2', '--base', 'resampled']],
    ['nsf-ar', ['--transforms', '1', '--permutation', 'lu']],
    ['flowpp', ['--transforms', '2', '--permutation', 'swap']],
    ['ffjord', ['--matching', 'independent']],
  ])('trains a flow of kind %s, within a time: %j', async (kind, words) => {
    const out = folder.at([kind, ...words].join(''));
    const trainFor = async (limit: string) => {
      const trained = await flowKernels(
        ...['train', data, '--columns', 'x,y', '--model', kind, '--hidden', '32', ...words],
        ...['--time-limit', limit, '--schedule', 'one-cycle', '--lr', '5e-3'],
        ...['--out', out, '--force', '-q', '--json'],
      );
      expect(trained).toMatchObject({ status: 0, stderr: '' });
      return JSON.parse(trained.stdout);
    };
    // Better than the Gaussian of the same moments: log-deviations 2 and 1.5, two normals.
    const gaussian = Math.log(2 * Math.PI * Math.E) + Math.log(2) + Math.log(1.5);
    const hasLearnt = ({ validation }: { validation: { nats: { data: number } } }) =>
      kind === 'made' || -validation.nats.data < gaussian - 0.1;
    let report = await trainFor('1.5s');
    expect(report.model.kind).toBe(kind);
    expect(report.training.seconds).toBeLessThan(10);
    // On a machine that is busy, 1.5 s may be a few steps.
    if (!hasLearnt(report)) report = await trainFor('8s');
    expect(hasLearnt(report), `${-report.validation.nats.data} nats`).toBe(true);
  });

  it('trains a continuous flow by its solver', async () => {
    const out = folder.at('ffjord-solved');
    const options = ['--tolerance', '1e-3', '--gradient', 'adjoint', '--trace', 'hutchinson'];
    const trained = await flowKernels(
      ...['train', data, '--columns', 'x,y', '--model', 'ffjord', '--hidden', '8'],
      ...['--solver', 'dopri5', '--kinetic', '0.01', '--jacobian', '0.01', ...options],
      ...['--steps', '3', '--out', out, '-q'],
    );
    expect(trained).toMatchObject({ status: 0, stderr: '' });
    const drawn = await flowKernels('sample', out, '-n', '3', '-q');
    expect(drawn.stdout.trim().split('\n')).toHaveLength(4);
  });

  it.each([
    [
      'realnvp',
      ['--permutation', 'reverse'],
      /realnvp has swap \(the halves change places\) or random/,
    ],
    ['nsf', ['--permutation', 'qr'], /--permutation qr: --model nsf has lu, random or swap/],
    ['planar', ['--hidden', '8'], /--model planar has a network for --context-columns only/],
    ['realnvp', ['--degrees', 'random'], /--model realnvp has no --degrees: leave it out/],
    ['maf', ['--base', 'normal', '--components', '3'], /--components is for --base mixture/],
    ['maf', ['--dequantization', 'variational'], /is for integers: pass --levels/],
    ['maf', ['--importance', '5'], /--importance is for models that bound log p/],
    ['vae', ['--base', 'mixture'], /--model vae has no --base: leave it out/],
    ['ffjord', ['--matching', 'optimal', '--kinetic', '1'], /leave out --kinetic/],
    ['nice', ['--batch-norm'], /--model nice has no --batch-norm: leave it out/],
    ['made', ['--transforms', '2'], /--model made has no --transforms: leave it out/],
  ])('says what a flow of kind %s does not take: %j', async (kind, words, says) => {
    const told = await flowKernels(
      ...['train', data, '--columns', 'x,y', '--model', kind, '--out', folder.at('none'), ...words],
    );
    expect(told).toMatchObject({ status: 2, stderr: expect.stringMatching(says) });
  });

  it('warns of columns that are no continuous quantity, or too far from zero for float32', async () => {
    const lines = readFileSync(data, 'utf8').trim().split('\n').slice(1);
    const far = lines.map((line, k) => `${line},${1e9 + (k % 1000) + 0.5 * (k % 7)}`);
    writeFileSync(folder.at('warn.csv'), `x,y,label,time\n${far.join('\n')}\n`);
    const words = ['--hidden', '8', '--epochs', '1', '--out', folder.at('warn'), '--force'];
    const { stderr } = await flowKernels('train', folder.at('warn.csv'), ...words);
    expect(stderr).toMatch(/^warning: column "label" .* 3 values only.*--context-columns label/m);
    expect(stderr).toMatch(/^warning: column "time" .* mean 1\.00000e\+9.*--dtype float64/m);
    expect(stderr.match(/^warning/gm)).toHaveLength(2);
    const double = await flowKernels(
      ...['train', folder.at('warn.csv'), ...words, '--exclude', 'label', '--dtype', 'float64'],
    );
    expect(double).toMatchObject({ status: 0, stderr: expect.not.stringMatching(/warning/) });
  });

  it('reads validation and test files, and drops rows with missing values', async () => {
    const holes = readFileSync(folder.at('test.csv'), 'utf8').split('\n');
    holes[1] = 'nan,1,0';
    holes[7] = '1,,0';
    writeFileSync(folder.at('holes.csv'), holes.join('\n'));
    const trained = await flowKernels(
      ...['train', data, '--columns', 'x,y', '--hidden', '8', '--epochs', '1', '-q', '--json'],
      ...[
        '--validation',
        folder.at('holes.csv'),
        '--test',
        folder.at('test.csv'),
        '--missing',
        'drop',
      ],
      ...['--out', folder.at('three-files')],
    );
    expect(trained).toMatchObject({ status: 0, stderr: '' });
    const rows = JSON.parse(trained.stdout).data.rows;
    expect(rows).toEqual({ train: 4000, validation: 3998, test: 4000 });
  });

  it('takes images: levels, logit, and a sheet of samples', async () => {
    const uniform = uniforms(3);
    const [rows, height, width] = [300, 5, 4];
    const pixels = Uint8Array.from({ length: rows * height * width }, (_, k) =>
      Math.floor(Math.min(255, 256 * uniform() ** (1 + (k % width)))),
    );
    await writeNpy(folder.at('images.npy'), { data: pixels, shape: [rows, height, width] });
    const out = folder.at('images');
    const trained = await flowKernels(
      ...['train', folder.at('images.npy'), '--hidden', '32', '--batch-size', '32', '--batch-norm'],
      ...['--epochs', '3', '--out', out, '-q', '--json'],
    );
    expect(trained.status).toBe(0);
    const { model, validation, data: used } = JSON.parse(trained.stdout);
    expect(used.image).toEqual([height, width, 1]);
    expect(model.preprocessing).toBe(
      '256 levels dequantised, divided by 256, logit with λ = 0.000001',
    );
    // Uniform bytes have 8 bits; these have less, and a model of 3 epochs is not far above.
    expect(validation.bitsPerDim).toBeLessThan(8.5);
    expect(existsSync(`${out}/samples.png`)).toBe(true);
    const drawn = await flowKernels('sample', out, '-n', '7', '--out', folder.at('drawn.npy'));
    expect(drawn.status).toBe(0);
    const back = await readNpy(folder.at('drawn.npy'));
    expect([back.shape, back.data.constructor]).toEqual([[7, height, width], Uint8Array]);
    const scored = await flowKernels('score', out, folder.at('drawn.npy'), '--bits-per-dim');
    expect(scored.stdout.split('\n')[0]).toBe('bits_per_dim');
  });
});

/** An IDX file of bytes, packed. */
function idx(shape: readonly number[], data: Uint8Array): Buffer {
  const head = Buffer.alloc(4 + 4 * shape.length);
  head[2] = 8;
  head[3] = shape.length;
  for (const [axis, size] of shape.entries()) head.writeUInt32BE(size, 4 + 4 * axis);
  return gzipSync(Buffer.concat([head, data]));
}

describe('demo', () => {
  it('trains on a set in the form of MNIST and leaves its five files', async () => {
    const uniform = uniforms(11);
    const mnist = folder.at('mnist');
    mkdirSync(mnist);
    for (const [prefix, rows] of [
      ['train', 360],
      ['t10k', 40],
    ] as const) {
      // A bright bar whose place is the label, on dark noise.
      const labels = Uint8Array.from({ length: rows }, (_, row) => row % 10);
      const pixels = Uint8Array.from({ length: rows * 784 }, (_, k) => {
        const bar = Math.floor((k % 784) / 28) === 3 + 2 * labels[Math.floor(k / 784)]!;
        return Math.floor((bar ? 200 : 0) + 50 * uniform());
      });
      writeFileSync(`${mnist}/${prefix}-images-idx3-ubyte.gz`, idx([rows, 28, 28], pixels));
      writeFileSync(`${mnist}/${prefix}-labels-idx1-ubyte.gz`, idx([rows], labels));
    }
    const out = folder.at('demo');
    const heard = await flowKernels('demo', '--data', mnist, '--epochs', '3', '--out', out);
    expect(heard).toMatchObject({
      status: 0,
      stdout: '',
      stderr: expect.stringMatching(/test: -/),
    });
    for (const name of ['model.safetensors', 'samples.png', 'curves.svg', 'report.json']) {
      expect(existsSync(`${out}/${name}`)).toBe(true);
    }
    const { data: used, history, test } = JSON.parse(readFileSync(`${out}/report.json`, 'utf8'));
    expect(used.rows).toEqual({ train: 300, validation: 60, test: 40 });
    // Validated after the second epoch and after the last.
    const validated = history.map(
      (epoch: { bitsPerDim: number | null }) => epoch.bitsPerDim !== null,
    );
    expect(validated).toEqual([false, true, true]);
    expect(test.nats.data / (-784 * Math.LN2)).toBeCloseTo(test.bitsPerDim, 10);
  });
});

describe('score', () => {
  it('gives the log p of the library, to stdout, CSV and NPY alike', async () => {
    const { stdout, stderr } = await flowKernels('score', run, folder.at('test.csv'));
    const printed = stdout.trim().split('\n');
    expect(printed[0]).toBe('log_prob');
    expect(stderr).toMatch(/^4,000 rows, mean log_prob -/);
    const scores = Float64Array.from(printed.slice(1), Number);
    const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length;
    expect(mean).toBeCloseTo(report().test.nats.data, 9);

    const text = readFileSync(folder.at('test.csv'), 'utf8').trim().split('\n').slice(1, 6);
    const rows = text.map((line) => line.split(',').slice(0, 2).map(Number));
    const flow = await Flow.load(`${run}/model.safetensors`);
    const own = flow.logProb(rows);
    // Printed with all digits: rows scored in another batch may differ in the last bits of float32 sums.
    for (const [k, value] of own.dataSync().entries()) expect(scores[k]).toBeCloseTo(value, 4);
    own.dispose();
    flow.dispose();

    for (const name of ['scores.csv', 'scores.npy']) {
      const out = folder.at(name);
      expect((await flowKernels('score', run, folder.at('test.csv'), '--out', out)).stdout).toBe(
        '',
      );
    }
    expect(readFileSync(folder.at('scores.csv'), 'utf8')).toBe(stdout);
    expect([...(await readNpy(folder.at('scores.npy'))).data]).toEqual([...scores]);
  });

  it('ranks what does not belong last', async () => {
    writeFileSync(folder.at('odd.csv'), 'x,y\n3,-10\n5,-9\n3,10\n40,-10\n');
    const { stdout } = await flowKernels('score', run, folder.at('odd.csv'), '-q');
    const [near, far, off, out] = stdout.trim().split('\n').slice(1).map(Number);
    expect(Math.min(near!, far!)).toBeGreaterThan(Math.max(off!, out!) + 5);
  });

  it('scores in either space and in bits', async () => {
    const mean = async (...words: string[]) => {
      const { stdout } = await flowKernels('score', run, folder.at('test.csv'), '-q', ...words);
      const values = stdout.trim().split('\n').slice(1).map(Number);
      return values.reduce((sum, value) => sum + value, 0) / values.length;
    };
    const { nats, bitsPerDim } = report().test;
    expect(await mean('--space', 'model')).toBeCloseTo(nats.model, 9);
    expect(await mean('--bits-per-dim')).toBeCloseTo(bitsPerDim, 9);
  });
});

describe('sample', () => {
  it('repeats with its seed, and has the moments of the data', async () => {
    const draw = (seed: string, ...words: string[]) =>
      flowKernels('sample', run, '-n', '3000', '--seed', seed, ...words);
    const first = await draw('1');
    expect(first.stderr).toBe('3,000 rows\n');
    expect((await draw('1')).stdout).toBe(first.stdout);
    expect((await draw('2')).stdout).not.toBe(first.stdout);
    const lines = first.stdout.trim().split('\n');
    expect(lines[0]).toBe('x,y');
    const x = lines.slice(1).map((line) => Number(line.split(',')[0]));
    const mean = x.reduce((sum, value) => sum + value, 0) / x.length;
    const deviation = Math.sqrt(x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / x.length);
    // Standard errors 2/√3000 = 0.04 and 0.03; the model's own error comes on top.
    expect(Math.abs(mean - 3)).toBeLessThan(0.25);
    expect(Math.abs(deviation - 2)).toBeLessThan(0.25);
    const cold = (await draw('1', '--temperature', '0')).stdout.trim().split('\n').slice(1);
    expect(new Set(cold).size).toBe(1);
  });
});

describe('info', () => {
  it('shows architecture, columns, preprocessing and training', async () => {
    const { stdout, status } = await flowKernels('info', run);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^features +2$/m);
    expect(stdout).toMatch(/^columns +x, y$/m);
    expect(stdout).toMatch(/^chain +masked autoregressive, hidden \[48, 48\], relu\n +reverse$/m);
    const facts = JSON.parse((await flowKernels('info', run, '--json')).stdout);
    expect(facts.parameters).toBe(report().model.parameters);
    expect(facts.training.test).toEqual(report().test);
    expect(facts.preprocessing.kind).toBe('affine');
  });
});
