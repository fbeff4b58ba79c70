export * from './likelihood';
export type { FreeBits, Warmup } from './objective';
export * from './recipes';
export * from './vae';
