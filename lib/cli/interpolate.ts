/** `flow-kernels interpolate`: rows between rows, and along a class. */
import { writeCsv } from '../data/writers/csv';
import { writeNpy } from '../data/writers/npy';
import { alongDirection, attributeDirections, Flow, interpolate } from '../flows';
import { setThreads } from '../runtime';
import type { Tensor } from '../tensor/tensor';
import { type Dataset, readDatasetFor, readDescription, takeSamples } from './dataset';
import { modelPath } from './folder';
import type { InterpolateCommandOptions } from './grammar/interpolate';
import { classContext, type LabelledTable } from './imageData';
import { outputKind, refuseOverwrite } from './outFile';
import { writeImages } from './outputs';
import { inputOf, prepareRows } from './preprocess';
import { exitStatus, type Terminal, UsageError } from './status';
import { grouped } from './text';

export async function interpolateRows(
  terminal: Terminal,
  model: string,
  data: string,
  options: InterpolateCommandOptions,
): Promise<number> {
  const kind = outputKind(options.out, ['png', 'npy', 'csv']);
  await refuseOverwrite(options.out, data);
  if (options.pairs && options.attribute !== undefined) {
    throw new UsageError('choose one of --pairs and --attribute');
  }
  if (options.threads) setThreads(options.threads);
  const flow = await Flow.load(await modelPath(model));
  try {
    const { image, columns } = readDescription(flow.description);
    if (kind === 'png' && !image) {
      throw new UsageError(
        `--out ${options.out}: the model's rows are no images: choose .csv or .npy`,
      );
    }
    // Labels are context for a conditional model only.
    const { labels: _labels, ...plain } = options;
    const reading = flow.contextFeatures > 0 ? options : plain;
    const dataset = prepareRows(await readDatasetFor(data, flow, reading), inputOf(flow));
    const drawn =
      options.attribute === undefined
        ? between(flow, dataset, options)
        : await along(flow, dataset, data, options.attribute, options);
    const values = drawn.dataSync() as Float32Array | Float64Array;
    const rows = drawn.rows;
    drawn.dispose();
    if (kind === 'png' && image) {
      await writeImages(options.out, flow, values, image, options.steps);
    } else if (kind === 'npy') {
      const inner = image ? [...image] : [flow.features];
      await writeNpy(options.out, { data: values, shape: [rows, ...inner] });
    } else {
      const table = { data: values, rows, cols: flow.features, columns: columns ?? undefined };
      await writeCsv(options.out, table);
    }
    if (!options.quiet) terminal.stderr.write(`${grouped(rows)} rows; ${options.out}\n`);
    return exitStatus.ok;
  } finally {
    flow.dispose();
  }
}

function between(flow: Flow, dataset: Dataset, options: InterpolateCommandOptions): Tensor {
  const { rows } = dataset.rows;
  const usual = Array.from(
    { length: Math.min(options.number, Math.floor(rows / 2)) },
    (_, k): [number, number] => [2 * k, 2 * k + 1],
  );
  const pairs = options.pairs ?? usual;
  const missing = pairs.flat().find((row) => row >= rows);
  if (missing !== undefined || pairs.length === 0) {
    throw new UsageError(
      `--pairs: there are ${rows} rows${missing === undefined ? '' : `, none with the index ${missing}`}`,
    );
  }
  const [from, to] = [0, 1].map((end) =>
    takeSamples(
      dataset,
      pairs.map((pair) => pair[end] as number),
    ),
  ) as [Dataset, Dataset];
  // A pair has one context: that of its first row.
  const context = from.context;
  return interpolate(flow, from.rows, to.rows, options.steps, { path: options.path, context });
}

async function along(
  flow: Flow,
  dataset: Dataset,
  data: string,
  attribute: string,
  options: InterpolateCommandOptions,
): Promise<Tensor> {
  const { labels, classes } =
    dataset.context && dataset.classes
      ? { labels: labelsOf(dataset.context.data, dataset.classes.length), classes: dataset.classes }
      : await readLabels(data, dataset, options);
  const which = classes.indexOf(attribute);
  if (which < 0) {
    throw new UsageError(`--attribute ${attribute}: the classes are ${classes.join(', ')}`);
  }
  const context = dataset.context;
  // With it and without: of the other classes there need not be any rows.
  const has = labels.map((label) => Number(label === which));
  const own = has.reduce((total, one) => total + one, 0);
  if (own === 0 || own === has.length) {
    const count = own === 0 ? 'none' : 'all';
    throw new UsageError(
      `--attribute ${attribute}: ${count} of the ${grouped(has.length)} rows are of this class: give data with it and without it`,
    );
  }
  const directions = attributeDirections(flow, dataset.rows, has, { context, classes: 2 });
  const direction = directions.dataSync().slice(flow.features);
  directions.dispose();
  const part = takeSamples(
    dataset,
    Array.from({ length: Math.min(options.number, dataset.rows.rows) }, (_, n) => n),
  );
  const { steps, amount } = options;
  const amounts = Array.from({ length: steps }, (_, k) => amount * ((2 * k) / (steps - 1) - 1));
  return alongDirection(flow, part.rows, direction, amounts, {
    context: part.context,
  });
}

/** Labels of data for a model that has no classes. */
async function readLabels(data: string, dataset: Dataset, options: InterpolateCommandOptions) {
  if (options.labels === undefined) {
    throw new UsageError('--attribute: --labels must name the labels of the rows');
  }
  const { labels } = dataset;
  const rows = {
    ...dataset.rows,
    ...(labels && { labels: labels.values, classes: labels.classes }),
  } as LabelledTable;
  const { context, classes } = await classContext(data, rows, options.labels, null);
  return { labels: labelsOf(context.data, classes.length), classes };
}

function labelsOf(oneHot: ArrayLike<number>, classes: number): number[] {
  return Array.from({ length: oneHot.length / classes }, (_, n) => {
    let label = 0;
    for (let k = 0; k < classes; k++) if (oneHot[n * classes + k] === 1) label = k;
    return label;
  });
}
