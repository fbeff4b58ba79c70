/** The files of a run folder besides the model. */
import { oneHot } from '../data/images';
import { writeFileAtomic } from '../io/atomic';
import type { GenerativeModel } from '../models';
import { imageSheet, lineChart } from '../plot';
import type { EpochRecord } from '../train';
import { type ImageShape, readDescription } from './dataset';
import { inputOf } from './preprocess';

export async function writeJson(path: string, value: unknown): Promise<void> {
  await writeFileAtomic(path, `${JSON.stringify(value, null, 2)}\n`);
}

/** The learning curves: mean log-likelihood by epochs. */
export async function writeCurves(path: string, history: readonly EpochRecord[]): Promise<void> {
  const curve = (name: string, of: (record: EpochRecord) => number | null) => {
    // Epochs without a value, as those that were not validated, are left out: the line goes on over them.
    const points = history.filter((record) => Number.isFinite(of(record) ?? Number.NaN));
    const [x, y] = [points.map(({ epoch }) => epoch), points.map((record) => of(record) as number)];
    return { name, x, y };
  };
  const training = curve('training', ({ trainLoss }) => -trainLoss);
  const validation = curve('validation', (record) => record.validationLogProbModel);
  const chart = lineChart({
    title: 'Learning curves',
    xLabel: 'epoch',
    yLabel: 'log-likelihood, nats',
    series: validation.x.length > 0 ? [training, validation] : [training],
    yRange: 'robust',
  });
  await writeFileAtomic(path, chart);
}

/** A PNG sheet of the rows as images. */
export async function writeImages(
  path: string,
  flow: GenerativeModel,
  values: ArrayLike<number>,
  [height, width, channels]: ImageShape,
  columns?: number,
): Promise<void> {
  const input = inputOf(flow);
  const most = input.unitInterval ? 1 : (input.dequantization?.levels ?? 256) - 1;
  const data = Float32Array.from(values, (value) => value / most);
  const count = data.length / (height * width * channels);
  const sheet = imageSheet(
    { data, shape: [count, height, width, channels] },
    {
      ...(columns && { columns }),
      padding: 1,
      scale: Math.max(1, Math.round(28 / Math.max(height, width))),
      background: 0.3,
    },
  );
  await writeFileAtomic(path, sheet);
}

/** Images of a sheet of samples. */
const SHEET = 100;

/** A sheet of samples, the same at each call for the same model; of a model with classes a row each, in turn. */
export async function writeSampleSheet(
  path: string,
  flow: GenerativeModel,
  image: ImageShape,
): Promise<void> {
  const side = Math.sqrt(SHEET);
  const classes = readDescription(flow.description).classes?.length ?? 0;
  const labels = Array.from(
    { length: SHEET },
    (_, n) => Math.floor(n / side) % Math.max(1, classes),
  );
  const context = flow.contextFeatures > 0 ? oneHot(labels, classes) : null;
  const samples = flow.sample(SHEET, { seed: 1, context });
  const values = samples.dataSync();
  samples.dispose();
  await writeImages(path, flow, values, image, side);
}
