import { describe, expect, it } from 'vitest';
import { bandPowers } from '../../lib/data';

/** log of the mean power of the bins of each band, by sums over the samples. */
function slow(samples: Float32Array, bands: number, hop: number): number[] {
  const window = 2 * hop;
  return Array.from({ length: Math.floor(samples.length / hop) }, (_, frame) => {
    const power = Array.from({ length: hop + 1 }, (_, k) => {
      let [re, im] = [0, 0];
      for (let i = 0; i < window; i++) {
        const x = samples[frame * hop - Math.floor(hop / 2) + i] ?? 0;
        const hann = 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / window);
        re += hann * x * Math.cos((2 * Math.PI * k * i) / window);
        im += hann * x * Math.sin((2 * Math.PI * k * i) / window);
      }
      return (re * re + im * im) / ((3 / 8) * window);
    });
    const edge = (band: number) => Math.round(1 + hop * (band / bands) ** 2);
    return Array.from({ length: bands }, (_, band) => {
      const low = Math.min(hop, edge(band));
      const bins = power.slice(low, Math.max(low + 1, edge(band + 1)));
      return Math.log(bins.reduce((a, b) => a + b) / bins.length + 1e-8);
    });
  }).flat();
}

describe('bandPowers', () => {
  it.each([
    [5, 3, 64],
    [4, 4, 47],
    [7, 1, 30],
  ])('is that of slow sums: hop %d, %d bands, %d samples', (hop, bands, length) => {
    const samples = Float32Array.from({ length }, (_, i) => Math.sin(i * i) * 0.7);
    const { data, rows, cols } = bandPowers(samples, { bands, hop });
    expect([rows, cols]).toEqual([Math.floor(length / hop), bands]);
    const wanted = slow(samples, bands, hop);
    // float32 sums over a window.
    for (const [i, value] of data.entries()) expect(value).toBeCloseTo(wanted[i]!, 4);
  });

  it('is the same in pieces, hears a pitch in its band, and nothing in silence', () => {
    const [hop, bands] = [8, 4];
    const samples = new Float32Array(8 * 1100);
    // From frame 1020 on, over the end of a piece: a quarter of the rate is bin 4 of 8, the third band.
    for (let i = 8 * 1020; i < samples.length; i++) samples[i] = Math.sin((Math.PI / 2) * i);
    const { data } = bandPowers(samples, { bands, hop });
    const frame = (k: number) => Array.from(data.subarray(k * bands, (k + 1) * bands));
    expect(frame(3)).toEqual(Array.from({ length: bands }, () => Math.fround(Math.log(1e-8))));
    for (const k of [1022, 1023, 1024, 1025]) {
      const heard = frame(k);
      expect(heard.indexOf(Math.max(...heard))).toBe(2);
      heard.forEach((value, band) => void expect(value).toBeCloseTo(frame(1060)[band]!, 3));
    }
  });

  it.each([
    [{ bands: 0, hop: 8 }, /bands: expected a whole number from 1 to 8, got 0/],
    [{ bands: 9, hop: 8 }, /bands: expected a whole number from 1 to 8, got 9/],
    [{ bands: 1, hop: 1 }, /hop: expected a whole number from 2, got 1/],
  ])('refuses %j', (options, says) => {
    expect(() => bandPowers(new Float32Array(20), options)).toThrow(says);
  });
});
