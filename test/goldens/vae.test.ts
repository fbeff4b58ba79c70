import { describe, it } from 'vitest';
import { valueAndGradient } from '../../lib/autograd/gradient';
import { Chain, type Invert, MaskedAutoregressive } from '../../lib/bijections';
import { type Vae, vae } from '../../lib/models';
import { RandomStream } from '../../lib/ops';
import { scope } from '../../lib/tensor/scope';
import { type Tensor, tensorOfArray } from '../../lib/tensor/tensor';
import { adam, negativeLogLikelihood } from '../../lib/train';
import { Learner, Step } from '../../lib/train/step';
import { expectClose } from '../reference/close';
import { type GoldenTensors, type GoldenVae, goldenCases, values } from '../reference/goldens';
import { goldenTensor, inLibraryOrder, loadLayer, pairLayers } from './load';

/** A stream whose normal numbers are given. */
class Given extends RandomStream {
  #at = 0;

  constructor(readonly numbers: Float64Array) {
    super(0);
  }

  override normal(shape: readonly number[]): Tensor {
    const size = shape.reduce((a, b) => a * b, 1);
    const from = this.numbers.subarray(this.#at, this.#at + size);
    if (from.length < size) throw new Error('[goldens] more noise was drawn than is given');
    this.#at += size;
    return tensorOfArray(Float64Array.from(from), shape);
  }
}

function madeLayers(model: Vae, row: GoldenVae) {
  const chain = (model.posterior as Invert | null)?.bijection ?? new Chain([], model.latents);
  const prior = model.prior?.bijection ?? new Chain([], model.latents);
  return [
    ...pairLayers((chain as Chain).bijections, row.model.posterior).map((layer, k) => ({
      ...layer,
      gradients: row.gradients.posterior[k] as GoldenTensors,
    })),
    ...pairLayers((prior as Chain).bijections, row.model.prior).map((layer, k) => ({
      ...layer,
      gradients: row.gradients.prior[k] as GoldenTensors,
    })),
  ];
}

function load(row: GoldenVae): Vae {
  const { features, latents, units, likelihood, transforms, contextFeatures, priorTransforms } =
    row.config;
  const { freeBits, weight } = row.config;
  const hidden = [7];
  const model = vae({
    features,
    latents,
    hidden: [units],
    activation: 'tanh',
    likelihood,
    posterior:
      transforms > 0 ? { transforms, hidden, contextFeatures, bias: row.config.bias } : 'diagonal',
    prior: priorTransforms > 0 ? { transforms: priorTransforms, hidden } : 'normal',
    freeBits,
    // A warm-up that stands still at the weight of the golden.
    warmup: weight < 1 ? { steps: 2 ** 40, start: weight } : null,
    dtype: 'float64',
  });
  for (const part of ['encoder', 'decoder'] as const)
    for (const [name, tensor] of model[part].namedParameters())
      tensor.write(values(row.model[part][name]));
  for (const { module, golden, order } of madeLayers(model, row))
    loadLayer(module, golden.params, order);
  return model;
}

// Networks of three layers, flows of three steps: sums of some dozen terms, one through another.
const units = 2000;

describe.each(goldenCases('vae').map((row) => [row.name, row] as const))(
  'VAE golden %s',
  (_name, row) => {
    const x = () => goldenTensor(row.inputs.x);
    const noise = () => new Given(values(row.inputs.noise));

    it('bound, its terms, log q and importance sampling', () => {
      const model = load(row);
      scope(() => {
        const rows = x();
        const { latents, samples } = row.config;
        const close = (actual: Tensor, name: keyof GoldenVae['outputs']) =>
          expectClose(actual.dataSync(), values(row.outputs[name] as never), units, name);
        const bound = model.logProbOfRows(rows, null, 'model', noise());
        const wanted = values(row.outputs.logLikelihood).map(
          (value, n) => value - (values(row.outputs.divergence)[n] as number),
        );
        expectClose(bound.dataSync(), wanted, units, 'elbo');
        const drawn = new Given(values(row.inputs.importanceNoise));
        close(model.importanceLogProb(rows, null, samples, drawn), 'iwae');
        // The density of the golden's draw by the way back: of the IAF, the incremental inverse.
        const z = tensorOfArray(values(row.outputs.z), [rows.rows, latents]);
        close(model.posteriorLogProb(z, rows), 'logQ');
      });
      model.dispose();
    });

    it('gradients of the loss', () => {
      const model = load(row).train();
      scope(() => {
        model.beforeStep(0);
        const rows = x();
        const named = [...model.namedParameters()];
        const { value, gradients } = valueAndGradient(
          () => negativeLogLikelihood({ model, x: rows, context: null, stream: noise() }),
          named.map(([, tensor]) => tensor),
        );
        expectClose(value.dataSync(), [row.outputs.loss], units, 'loss');
        const gradientOf = new Map(named.map(([, tensor], k) => [tensor.id, gradients[k]]));
        const close = (what: string, tensor: Tensor, wanted: Float64Array) =>
          expectClose(gradientOf.get(tensor.id)?.dataSync() ?? [], wanted, units, what);
        for (const part of ['encoder', 'decoder'] as const)
          for (const [name, tensor] of model[part].namedParameters())
            close(`d ${part}.${name}`, tensor, values(row.gradients[part][name]));
        for (const { module, order, gradients: wanted } of madeLayers(model, row))
          for (const [name, tensor] of module.namedParameters())
            close(`d ${name}`, tensor, inLibraryOrder(name, wanted[name]!, order));
      });
      model.dispose();
    });

    it('ten steps of Adam', () => {
      const model = load(row).train();
      model.beforeStep(0);
      const stream = new Given(values(row.inputs.updateNoise));
      const rows = x();
      const { lr } = row.config;
      const learner = new Learner(model, {
        ...{ optimizer: adam({ lr }), clipNorm: Infinity, ema: null, stream, compile: false },
      });
      const loss = () => negativeLogLikelihood({ model, x: rows, context: null, stream });
      const step = new Step(learner, loss, rows.rows);
      for (const wanted of row.adam.losses) {
        if (!step.run()) throw new Error('not finite');
        // Errors of one step go on through the next ones.
        expectClose([step.lastLoss], [wanted], 50 * units, 'loss');
      }
      for (const part of ['encoder', 'decoder'] as const)
        for (const [name, tensor] of model[part].namedParameters())
          expectClose(
            tensor.dataSync(),
            values(row.adam.model[part][name]),
            // Adam divides by the size of the gradient: a small one's error counts as a large one's.
            1e6,
            `${part}.${name}`,
          );
      for (const part of [step, learner, stream, rows, model]) part.dispose();
    });
  },
);

it('the posteriors and priors are chains of the kind that the goldens mean', () => {
  const model = vae({ features: 3, latents: 2, posterior: 'iaf', prior: 'maf' });
  const kinds = [...model.modules()].filter(([, part]) => part instanceof MaskedAutoregressive);
  if (kinds.length !== 4 + 2) throw new Error(`${kinds.length} autoregressive maps`);
  model.dispose();
});
