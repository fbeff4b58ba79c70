/** `flow-kernels inpaint`: the missing part of images. */
import { writeNpy } from '../data/writers/npy';
import { Flow, inpaint } from '../flows';
import { RandomStream } from '../ops';
import { setThreads } from '../runtime';
import { type ImageShape, readDatasetFor, readDescription, takeSamples } from './dataset';
import { modelPath } from './folder';
import type { InpaintCommandOptions } from './grammar/inpaint';
import { outputKind, refuseOverwrite } from './outFile';
import { writeImages } from './outputs';
import { inputOf, prepareRows } from './preprocess';
import { exitStatus, type Terminal, UsageError } from './status';
import { grouped } from './text';

/** 1 where a pixel is held, by image: [count, H·W·C]. */
function maskOf(
  kind: InpaintCommandOptions['mask'],
  [height, width, channels]: ImageShape,
  count: number,
  seed: number,
): Uint8Array {
  const mask = new Uint8Array(count * height * width * channels);
  const stream = new RandomStream(seed + 1);
  const draws = kind === 'random' ? stream.uniformArray(count * height * width) : null;
  stream.dispose();
  const missing = (n: number, y: number, x: number) => {
    if (kind === 'top') return y < height / 2;
    if (kind === 'bottom') return y >= height / 2;
    if (kind === 'left') return x < width / 2;
    if (kind === 'right') return x >= width / 2;
    if (kind === 'random') return (draws?.[(n * height + y) * width + x] as number) < 0.5;
    const inside = (at: number, size: number) => at >= size / 4 && at < (3 * size) / 4;
    return inside(y, height) && inside(x, width);
  };
  for (let n = 0; n < count; n++)
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++)
        if (!missing(n, y, x))
          mask.fill(
            1,
            ((n * height + y) * width + x) * channels,
            ((n * height + y) * width + x + 1) * channels,
          );
  return mask;
}

export async function inpaintImages(
  terminal: Terminal,
  model: string,
  data: string,
  options: InpaintCommandOptions,
): Promise<number> {
  const kind = outputKind(options.out, ['png', 'npy']);
  await refuseOverwrite(options.out, data);
  refuseMixed(options);
  if (options.threads) setThreads(options.threads);
  const flow = await Flow.load(await modelPath(model));
  try {
    const { image } = readDescription(flow.description);
    if (!image) throw new UsageError("inpaint: the model's rows are no images");
    const whole = prepareRows(await readDatasetFor(data, flow, options), inputOf(flow));
    const count = Math.min(options.number, whole.rows.rows);
    const part = takeSamples(
      whole,
      Array.from({ length: count }, (_, n) => n),
    );
    const known = maskOf(options.mask, image, count, options.seed);
    const { step, noise, sample, temperature } = options;
    const { x, logProb } = await inpaint(flow, part.rows, known, {
      context: part.context,
      iterations: options.iterations,
      ...(sample ? { sample } : {}),
      ...(temperature === undefined ? {} : { temperature }),
      ...(noise === undefined ? {} : { noise }),
      ...(step === undefined ? {} : { stepSize: (i: number) => (step * 10) / (100 + i) }),
      seed: options.seed,
    });
    const filled = x.dataSync() as Float32Array | Float64Array;
    const scores = logProb.dataSync();
    x.dispose();
    logProb.dispose();
    if (kind === 'npy') await writeNpy(options.out, { data: filled, shape: [count, ...image] });
    else
      await writeImages(
        options.out,
        flow,
        sheet(part.rows.data, known, filled, flow.features),
        image,
        3 * columnsFor(count),
      );
    const mean = (scores as Float64Array).reduce((sum, value) => sum + value, 0) / count;
    if (!options.quiet) {
      terminal.stderr.write(
        `${grouped(count)} images, mean log p ${mean.toFixed(2)} in the model's space; ${options.out}\n`,
      );
    }
    return exitStatus.ok;
  } finally {
    flow.dispose();
  }
}

/** @throws UsageError where an option of the climb meets one of the chain */
function refuseMixed({ sample, temperature, noise, step }: InpaintCommandOptions): void {
  if (!sample && temperature !== undefined)
    throw new UsageError('--temperature: it belongs to --sample');
  if (sample && (noise !== undefined || step !== undefined)) {
    const what = noise === undefined ? '--step' : '--noise';
    throw new UsageError(`${what}: --sample finds its own steps: leave it out`);
  }
}

/** Triples beside each other: about as wide as high. */
function columnsFor(count: number): number {
  return Math.max(1, Math.round(Math.sqrt(count / 3)));
}

/** Image, what was held (the rest NaN, which a sheet shows in colour), and what came out, one after the other. */
function sheet(
  images: ArrayLike<number>,
  known: Uint8Array,
  filled: ArrayLike<number>,
  features: number,
): Float32Array {
  const count = images.length / features;
  const all = new Float32Array(3 * images.length);
  for (let n = 0; n < count; n++)
    for (let i = 0; i < features; i++) {
      const at = n * features + i;
      all[3 * n * features + i] = images[at] as number;
      all[(3 * n + 1) * features + i] = known[at] === 1 ? (images[at] as number) : Number.NaN;
      all[(3 * n + 2) * features + i] = filled[at] as number;
    }
  return all;
}
