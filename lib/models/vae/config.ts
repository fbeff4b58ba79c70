/** A VAE from what a file says of it. */
import { Bijection } from '../../bijections/bijection';
import { expected, FlowError } from '../../errors';
import { fixedMapOf } from '../../flows/fixedMap';
import { Flow } from '../../flows/flow';
import { Conditioner } from '../../nn/conditioner';
import type { Config, Module } from '../../nn/module';
import { build, register } from '../../nn/registry';
import { Likelihood } from './likelihood';
import type { FreeBits, Warmup } from './objective';
import { Vae } from './vae';

interface VaeConfig extends Config {
  readonly kind: 'vae';
  readonly encoder: Config;
  readonly decoder: Config;
  readonly likelihood: Config;
  readonly posterior: Config | null;
  readonly prior: Config | null;
  readonly preprocessing: Config | null;
  readonly contextPreprocessing?: Config;
  readonly binarization: { readonly levels: number } | null;
  readonly freeBits: (FreeBits & Config) | null;
  readonly warmup: (Warmup & Config) | null;
  readonly description: { readonly [key: string]: string };
}

register<VaeConfig>('vae', (config) => {
  const encoder = build(config.encoder);
  const decoder = build(config.decoder);
  const likelihood = build(config.likelihood);
  const optional = (part: Config | null) => (part ? build(part) : null);
  const posterior = optional(config.posterior);
  const prior = optional(config.prior);
  const preprocessing = fixedMapOf('Vae', config.preprocessing);
  const contextPreprocessing = fixedMapOf('Vae', config.contextPreprocessing);
  const fits = <T>(
    part: Module | null,
    kind: abstract new (...args: never[]) => T,
  ): part is (Module & T) | null => part === null || part instanceof kind;
  if (
    !(encoder instanceof Conditioner) ||
    !(decoder instanceof Conditioner) ||
    !(likelihood instanceof Likelihood) ||
    !fits(posterior, Bijection) ||
    !fits(prior, Flow)
  ) {
    throw new FlowError(
      'FORMAT',
      expected(
        'Vae',
        'config',
        'networks, a likelihood and flows',
        'others',
        'the file is damaged',
      ),
    );
  }
  const { binarization, freeBits, warmup, description } = config;
  return new Vae({
    ...{ encoder, decoder, likelihood, posterior, prior },
    ...{ preprocessing, contextPreprocessing },
    ...{ binarization, freeBits, warmup, description },
  });
});
