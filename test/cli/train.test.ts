/** What `train` takes: models and their options, data with a context, files of validation and test, images; and what it refuses. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tensor } from '../../lib';
import type { Bijection } from '../../lib/bijections';
import { readNpy } from '../../lib/data/readers/npy';
import { writeNpy } from '../../lib/data/writers/npy';
import { Flow } from '../../lib/flows';
import { flowKernels, normals, uniforms, workFolder, writeBanana } from './harness';

const folder = workFolder();
const data = folder.at('banana.csv');
beforeAll(() => {
  writeBanana(data, 4000);
  writeBanana(folder.at('test.csv'), 4000, 99);
});
afterAll(folder.remove);

describe('train', () => {
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
