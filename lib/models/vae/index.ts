/** Variational autoencoders. */

// Registers the kind.
import './config';

export * from './likelihood';
export type { FreeBits, Warmup } from './objective';
export type {
  ElboTerms,
  Encoding,
  VaeLogProbOptions,
  VaeParts,
  VaeSampleOptions,
} from './parts';
export * from './recipes';
export * from './vae';
