/** What the data-dependent start of actnorm is computed from. */
import { columnMoments } from '../ops';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';

/** The least deviation that a channel is divided by. */
export const leastDeviation = 1e-4;

/** Mean and deviation of each channel of rows that come in pieces, in float64 (Chan, Golub, LeVeque 1979). */
export class ChannelMoments {
  readonly mean: Float64Array;
  readonly #squares: Float64Array;
  #rows = 0;

  constructor(channels: number) {
    this.mean = new Float64Array(channels);
    this.#squares = new Float64Array(channels);
  }

  /** @param x [rows, channels] */
  add(x: Tensor): void {
    scope(() => {
      const { mean, variance } = columnMoments(x);
      const [means, variances] = [mean.dataSync(), variance.dataSync()];
      const before = this.#rows;
      this.#rows += x.rows;
      const share = x.rows / this.#rows;
      for (let c = 0; c < this.mean.length; c++) {
        const away = (means[c] as number) - (this.mean[c] as number);
        this.mean[c] = (this.mean[c] as number) + away * share;
        this.#squares[c] =
          (this.#squares[c] as number) +
          (variances[c] as number) * x.rows +
          away * away * share * before;
      }
    });
  }

  /** −log of the deviations, none below `floor`, and the channels that are below. */
  logScale(floor: number): { logScale: Float64Array; constantChannels: number[] } {
    const deviations = this.#squares.map((squares) => Math.sqrt(squares / this.#rows));
    return {
      logScale: deviations.map((deviation) => -Math.log(Math.max(deviation, floor))),
      constantChannels: [...deviations.keys()].filter((c) => !((deviations[c] as number) >= floor)),
    };
  }
}
