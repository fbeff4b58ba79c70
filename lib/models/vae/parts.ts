/** What a variational autoencoder is made of, what it says, and which parts go together. */
import { Bijection } from '../../bijections/bijection';
import { isByFeature } from '../../bijections/byFeature';
import { Invert } from '../../bijections/invert';
import { StandardNormal } from '../../distributions';
import { expected, FlowError } from '../../errors';
import { requireFixedMap } from '../../flows/fixedMap';
import { Flow } from '../../flows/flow';
import { aMap } from '../../flows/flowParts';
import { Conditioner } from '../../nn/conditioner';
import {
  anything,
  flag,
  object,
  one,
  orNull,
  type Rules,
  required,
  seed as seedRule,
} from '../../options';
import type { Rows } from '../../tensor/input';
import type { Tensor } from '../../tensor/tensor';
import { Likelihood } from './likelihood';
import type { FreeBits, Warmup } from './objective';

export interface VaeParts {
  /** x [N, D] → [N, 2·L + H]: (mean, raw log σ) of each latent side by side, then the posterior flow's context h. */
  readonly encoder: Conditioner;
  /** z [N, L] → what the likelihood takes. */
  readonly decoder: Conditioner;
  readonly likelihood: Likelihood;
  /**
   * What bends the Gaussian posterior: `inverse` maps a draw of the Gaussian to a latent, given h. Null (default): nothing.
   * {@link iafPosterior} makes one.
   */
  readonly posterior?: Bijection | null;
  /** p(z); null (default): the standard normal. Conditional on the context where it has contextFeatures. */
  readonly prior?: Flow | null;
  /** Fixed map from the data's space to that of the likelihood. */
  readonly preprocessing?: Bijection | null;
  /** Context as users have it → as the networks see it, as of flows (FlowParts). */
  readonly contextPreprocessing?: Bijection | null;
  /** Integers 0 … levels − 1 become bits, 1 with probability value/(levels − 1), drawn anew for each batch. */
  readonly binarization?: { readonly levels: number } | null;
  /** In training, a group of latents costs at least so much (Kingma et al. 2016, appendix C.8). */
  readonly freeBits?: FreeBits | null;
  /** In training, the divergence counts less at first (Bowman et al. 2016; Sønderby et al. 2016). */
  readonly warmup?: Warmup | null;
  /** What the rows are, for whoever opens the file: column names, image shape. */
  readonly description?: Readonly<Record<string, string>>;
}

/** What the parts must be. */
export const vaePartsRules: Rules<VaeParts> = {
  encoder: required(one('a Conditioner', () => Conditioner)),
  decoder: required(one('a Conditioner', () => Conditioner)),
  likelihood: required(one('a Likelihood', () => Likelihood)),
  posterior: aMap,
  prior: orNull(one('a Flow', () => Flow)),
  preprocessing: aMap,
  contextPreprocessing: aMap,
  binarization: orNull(object),
  freeBits: orNull(object),
  warmup: orNull(object),
  description: object,
};

export interface VaeLogProbOptions {
  /** K: importance samples a row. Default 128; 1 gives one draw of the ELBO's integrand. */
  readonly samples?: number;
  /** Of the draws, and of the binarisation. Default 0. */
  readonly seed?: number;
  /** As of LogProbOptions; default 'data'. */
  readonly space?: 'data' | 'model';
}

export interface VaeSampleOptions {
  /** One row for all samples, or one row a sample. */
  readonly context?: Rows | null;
  /** Spread of the prior's base; default 1. */
  readonly temperature?: number;
  /** Default: a new one each call. */
  readonly seed?: number;
  /** The mean of p(x | z) in place of a draw from it. Default false. */
  readonly mean?: boolean;
}

/** What the options of `sample` must be. */
export const vaeSampleRules: Rules<VaeSampleOptions> = {
  context: anything,
  temperature: anything,
  seed: seedRule,
  mean: flag,
};

/** What the encoder says about rows. */
export interface Encoding {
  /** Mean and deviation of the Gaussian, [N, L]: of q itself where no flow bends it. */
  readonly mean: Tensor;
  readonly deviation: Tensor;
  /** A draw of q(z | x) [N, L]. */
  readonly z: Tensor;
  /** log q(z | x) [N] float64. */
  readonly logQ: Tensor;
}

/** The terms of the bound, each [N] float64, in the model's space. */
export interface ElboTerms {
  /** log p(x | z) of a draw z of q. */
  readonly logLikelihood: Tensor;
  /** KL(q ‖ p): exact for a diagonal posterior and a normal prior, else log q(z | x) − log p(z) of the draw. */
  readonly divergence: Tensor;
  /** Their difference. */
  readonly elbo: Tensor;
}

/** What maps draws of the Gaussian to latents in its forward direction, latent by latent; null where there is none. */
export function generatorOf(posterior: Bijection | null): Bijection | null {
  if (!(posterior instanceof Invert) || !isByFeature(posterior.bijection)) return null;
  return posterior.bijection;
}

const takesData = ({ calibrates, initializes }: Bijection) => calibrates || initializes;

/** @throws FlowError SHAPE, ARGUMENT for parts that do not go together */
export function checkParts(parts: Required<VaeParts>): void {
  const { encoder, decoder, likelihood, posterior, prior } = parts;
  const latents = decoder.inputs;
  const check = (what: string, wanted: string, got: number, good: boolean) => {
    if (good) return;
    const remedy = 'build the parts with sizes that fit';
    throw new FlowError('SHAPE', expected('Vae', what, wanted, String(got), remedy));
  };
  const { features, outputs: made } = likelihood;
  const h = posterior?.contextFeatures ?? 0;
  const outputs = 2 * latents + h;
  check('encoder.inputs', `${features}, the features`, encoder.inputs, encoder.inputs === features);
  check(
    'encoder.outputs',
    `${outputs}: 2 a latent${h ? `, ${h} for the posterior's context` : ''}`,
    encoder.outputs,
    encoder.outputs === outputs,
  );
  check(
    'decoder.outputs',
    `${made}, for the likelihood`,
    decoder.outputs,
    decoder.outputs === made,
  );
  for (const [what, part] of Object.entries({ posterior, prior })) {
    const own = part?.features ?? latents;
    check(`${what}.features`, `${latents}, the latents`, own, own === latents);
  }
  const context = encoder.contextFeatures;
  const { preprocessing, contextPreprocessing } = parts;
  requireFixedMap('Vae', 'preprocessing', preprocessing, features, 'features');
  const ofContext = 'columns of the context';
  requireFixedMap('Vae', 'contextPreprocessing', contextPreprocessing, context, ofContext);
  const others = [decoder.contextFeatures, prior?.contextFeatures || context];
  for (const own of others)
    check('contextFeatures', `${context}, as of the encoder`, own, own === context);
  for (const [what, map] of Object.entries({ posterior, prior: prior?.bijection ?? null })) {
    // An Invert of such a layer hides it.
    const layers = [...(map?.modules() ?? [])].map(([, layer]) => layer);
    if (!layers.some((layer) => layer instanceof Bijection && takesData(layer))) continue;
    throw new FlowError(
      'ARGUMENT',
      expected(
        'Vae',
        what,
        'a flow without statistics of data (batch norm, actnorm)',
        'one with',
        'its data are draws of the posterior, which move: leave the layer out',
      ),
    );
  }
  checkTypes(parts);
}

/** @throws FlowError DTYPE unless all numbers of all parts are of one type: what one makes, another takes */
function checkTypes(parts: Required<VaeParts>): void {
  const { encoder, decoder, likelihood, posterior, prior, preprocessing } = parts;
  const wanted = decoder.parameters()[0]?.dtype ?? encoder.parameters()[0]?.dtype ?? 'float32';
  const other = (what: string, got: string) => {
    const remedy = 'build all parts with the same dtype';
    throw new FlowError(
      'DTYPE',
      expected('Vae', what, `${wanted}, as the decoder's weights`, got, remedy),
    );
  };
  const all = { encoder, decoder, likelihood, posterior, 'prior.bijection': prior?.bijection };
  for (const [what, part] of Object.entries({ ...all, preprocessing }))
    for (const [name, tensor] of part?.namedParameters() ?? [])
      if (tensor.dtype !== wanted) other(`${what}: ${name}`, tensor.dtype);
  if (prior && prior.dtype !== wanted) other('prior.base', prior.dtype);
}

/** @throws FlowError ARGUMENT where the divergence has no summand a latent, which groups of free bits need */
export function checkGroups({ posterior, prior, freeBits, decoder }: Required<VaeParts>): void {
  const known =
    (posterior === null || generatorOf(posterior) !== null) &&
    (prior === null ||
      (prior.base instanceof StandardNormal &&
        prior.preprocessing === null &&
        isByFeature(prior.bijection)));
  if (known) return;
  throw new FlowError(
    'ARGUMENT',
    expected(
      'Vae',
      'freeBits.groups',
      '1, where the log-determinants of posterior or prior have no summand a latent',
      String(freeBits?.groups ?? decoder.inputs),
      'pass groups: 1, or autoregressive flows',
    ),
  );
}
