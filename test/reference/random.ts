/**
 * Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", section 3.3), uniforms and
 * Box–Muller normals from it. Written with BigInt, so that no product is ever rounded.
 */

const mask32 = 0xffffffffn;
const multiplier0 = 0xd2511f53n;
const multiplier1 = 0xcd9e8d57n;
/** Weyl constants: the golden ratio and √3 − 1, as fractions of 2³². */
const weyl0 = 0x9e3779b9n;
const weyl1 = 0xbb67ae85n;

/** Four words from a counter of four words and a key of two; words are 0 … 2³² − 1. */
export function philox4x32(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
  rounds = 10,
): [number, number, number, number] {
  let [c0, c1, c2, c3] = counter.map(BigInt) as [bigint, bigint, bigint, bigint];
  let [k0, k1] = key.map(BigInt) as [bigint, bigint];
  for (let round = 0; round < rounds; round++) {
    const product0 = multiplier0 * c0;
    const product1 = multiplier1 * c2;
    [c0, c1, c2, c3] = [
      (product1 >> 32n) ^ c1 ^ k0,
      product1 & mask32,
      (product0 >> 32n) ^ c3 ^ k1,
      product0 & mask32,
    ];
    k0 = (k0 + weyl0) & mask32;
    k1 = (k1 + weyl1) & mask32;
  }
  return [Number(c0), Number(c1), Number(c2), Number(c3)];
}

/** (word + ½)/2³²: in the open interval (0, 1), symmetric about ½. */
export function uniformOf32(word: number): number {
  return (word + 0.5) / 4294967296;
}

/** (k + ½)/2⁵² with k the upper 52 of the 64 bits high:low; in (0, 1), and exact in float64. */
export function uniformOf64(low: number, high: number): number {
  return (high * 1048576 + Math.floor(low / 4096) + 0.5) / 4503599627370496;
}

/** Two independent standard normals from two uniforms of (0, 1): √(−2 ln u)·(cos 2πv, sin 2πv) (Box and Muller 1958). */
export function boxMuller(u: number, v: number): [number, number] {
  const radius = Math.sqrt(-2 * Math.log(u));
  return [radius * Math.cos(2 * Math.PI * v), radius * Math.sin(2 * Math.PI * v)];
}
