import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { flowKernels, uniforms, workFolder } from './harness';

const folder = workFolder();
afterAll(folder.remove);

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
