import { describe, expect, it } from 'vitest';
import {
  batchNormForward,
  batchNormGradients,
  batchNormInverse,
  columnStatistics,
} from './batchNorm';
import { expectClose } from './close';
import { goldenCases, parameterArrays, values } from './goldens';

describe('batch norm', () => {
  it.each(goldenCases('batchNorm').map((c) => [c.name, c] as const))(
    '%s: outputs and gradients of PyTorch',
    (_, golden) => {
      const x = values(golden.inputs.x);
      const n = golden.inputs.x.shape[0]!;
      const { logGamma, beta } = parameterArrays(golden.layer);
      const stored = {
        mean: values(golden.statistics.mean),
        variance: values(golden.statistics.variance),
      };
      const fixed = golden.mode === 'evaluation' ? stored : null;
      const statistics = fixed ?? columnStatistics(x, n);
      expectClose(statistics.mean, stored.mean, 16, 'mean');
      expectClose(statistics.variance, stored.variance, 16, 'variance');
      const { y, logDet } = batchNormForward(x, n, logGamma!, beta!, statistics, golden.layer.eps);
      // x − m cancels where |m| is far above the spread: 256 eps.
      expectClose(y, values(golden.outputs.y), 256, 'y');
      expectClose(logDet, values(golden.outputs.logDet), 64, 'logDet');
      expect(Math.abs(logDet[0]!)).toBeGreaterThan(0.1);
      const g = batchNormGradients(
        x,
        n,
        logGamma!,
        values(golden.outputWeights.y),
        values(golden.outputWeights.logDet),
        fixed,
        golden.layer.eps,
      );
      // With two rows the three terms of dx cancel almost wholly: the scale is that of one term.
      const scale = Math.max(...statistics.variance.map((v) => 1 / Math.sqrt(v)), 1);
      expectClose(g.dx, values(golden.gradients.x), 256, 'dx', 4 * scale);
      expectClose(g.dLogGamma, values(golden.gradients.logGamma), 256, 'dLogGamma');
      expectClose(g.dBeta, values(golden.gradients.beta), 64, 'dBeta');
      const back = batchNormInverse(y, n, logGamma!, beta!, statistics, golden.layer.eps);
      expectClose(back.y, x, 64, 'x');
      expectClose(
        back.logDet,
        logDet.map((v) => -v),
        64,
        'inverse logDet',
      );
    },
  );
});
