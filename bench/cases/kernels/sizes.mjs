// Sizes and operands that rows of the kernels share.
import { matrix } from '../../instruction.mjs';

/** The sizes of the case maf: a batch of 256 rows, 512 hidden units, 63 features. */
export const N = 256;
export const H = 512;
export const D = 63;

export const f64 = { dtype: 'float64' };
export const int32 = { dtype: 'int32' };
export const positive = { fill: (i) => 0.1 + ((i * 7919) % 1000) / 1000 };
export const hidden = (options) => matrix(N, H, options);
/** Bytes of `count` float32 matrices of N × H. */
export const each = (count) => ({ bytes: count * N * H * 4 });
export const size = `${N}x${H}`;
