/** Right calls of training, data, pictures and the process. */
import { maf } from '../../lib/flows';
import { add, mean, mul, square } from '../../lib/ops';
import { lineChart } from '../../lib/plot';
import { tensor } from '../../lib/tensor/create';
import type { Tensor } from '../../lib/tensor/tensor';
import { adam } from '../../lib/train';
import type { Arguments } from './calls';
import { file } from './files';

const rows = Float32Array.from({ length: 16 }, (_, i) => Math.sin(i));
const flow = (contextFeatures = 0) =>
  maf({ features: 2, hidden: [4], transforms: 1, seed: 1, contextFeatures });
const t = (...shape: number[]) =>
  tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => 0.1 + i / 20),
    { shape },
  );

const training: Readonly<Record<string, Arguments>> = {
  fit: () => [flow(), rows, { epochs: 1, batchSize: 4, optimizer: adam() }],
  fitLoss: () => {
    const model = flow();
    return [model, () => mean(square(model.parameters()[0] as Tensor)), { steps: 1 }];
  },
  fitReverseKl: () => [
    flow(),
    (x: Tensor) => mul(add(square(x), 0), 0).view([x.rows]),
    { steps: 1, samples: 4 },
  ],
  evaluate: () => [flow(), rows, {}],
  flowMatching: () => [{ spread: 0.1 }],
  adam: () => [{ lr: 1e-3 }],
  adamW: () => [{ lr: 1e-3 }],
  sgd: () => [{ lr: 1e-3 }],
  constantRate: () => [],
  cosine: () => [{ steps: 3 }, { final: 0.1 }],
  linearWarmup: () => [{ steps: 3 }],
  plateau: () => [{ patience: 3 }],
  stepDecay: () => [{ epochs: 3 }, 0.5],
  trainValidationSplit: () => [{ data: rows, rows: 8, cols: 2 }, 0.25, 1],
  inpaint: () => [flow(), rows, new Uint8Array(16).fill(1, 0, 8), { iterations: 1 }],
  encode: () => [flow(), rows, {}],
  decode: () => [flow(), rows, {}],
  interpolate: () => [flow(), rows, rows, 3, {}],
  attributeDirections: () => [flow(), rows, [0, 1, 0, 1, 0, 1, 0, 1], {}],
  alongDirection: () => [flow(), rows, [0.1, 0.2], [0, 1], {}],
};

const data: Readonly<Record<string, Arguments>> = {
  bandPowers: () => [new Float32Array(64), { bands: 4, hop: 16 }],
  imageShapeOf: () => [{ shape: [3, 2, 2, 1] }],
  oneHot: () => [[0, 1], 2],
  padImages: () => [
    { data: new Uint8Array(8), rows: 2, cols: 4, shape: [2, 2, 2], source: 'x' },
    4,
    4,
    0,
  ],
  loadMnist: () => [{ split: 'test', folder: file('none') }],
  loadCifar10: () => [{ split: 'test', folder: file('none') }],
  readCifar10: () => [file('none')],
  readCsv: () => [file('table.csv'), {}],
  readIdx: () => [file('none'), {}],
  readImageFolder: () => [file('none'), {}],
  readNpy: () => [file('none'), {}],
  readParquet: () => [file('none'), {}],
  detectFormat: () => [file('table.csv')],
  readTable: () => [file('table.csv'), {}],
  readWav: () => [file('none')],
  readWavFolder: () => [file('none')],
  readSafetensors: () => [file('none')],
  loadModel: () => [file('none')],
  soundRows: () => [[new Float32Array(8)], 4],
  linearDecode: () => [[0, 1], 256],
  linearEncode: () => [[0, 0.5], 256],
  muLawDecode: () => [[0, 1], 256],
  muLawEncode: () => [[0, 0.5], 256],
  toMono: () => [{ samples: new Float32Array(8), rate: 8000, channels: 2 }],
  writeCsv: () => [file('out.csv'), { data: rows, rows: 8, cols: 2 }, {}],
  writeNpy: () => [file('out.npy'), { data: rows, shape: [8, 2] }],
  writeWav: () => [file('out.wav'), { samples: new Float32Array(8), rate: 8000 }, {}],
  writeSafetensors: () => [
    file('out.safetensors'),
    new Map([['w', { dtype: 'F32', shape: [2], data: new Float32Array(2) }]]),
    {},
  ],
};

const pictures: Readonly<Record<string, Arguments>> = {
  densityChart: () => [{ xRange: [0, 1], yRange: [0, 1], points: [0.5, 0.5] }],
  imageSheet: () => [{ data: new Uint8Array(8), shape: [2, 2, 2] }, { columns: 2 }],
  lineChart: () => [{ series: [{ name: 'a', x: [0, 1], y: [1, 2] }] }],
  sideBySide: () => [[lineChart({ series: [{ name: 'a', y: [1, 2] }] })]],
};

const process: Readonly<Record<string, Arguments>> = {
  setThreads: () => [2],
  setDevice: () => ['cpu'],
  onDevice: () => ['cpu', () => 1],
  allowTf32: () => [false],
  scope: () => [() => 1],
  keep: () => [t(2, 2)],
  record: () => [() => t(2, 2)],
  valueAndGradient: () => {
    const x = t(2, 2);
    return [() => mean(square(x)), [x]];
  },
  tensor: () => [
    [
      [1, 2],
      [3, 4],
    ],
    { dtype: 'float32' },
  ],
  'Tensor#view': () => [t(2, 4), [4, 2]],
  'Tensor#write': () => [t(2, 2), new Float32Array(4)],
  'Tensor#to': () => [t(2, 2), 'cpu'],
};

export const otherCalls: Readonly<Record<string, Arguments>> = {
  ...training,
  ...data,
  ...pictures,
  ...process,
};
