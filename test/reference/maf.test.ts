import { describe, expect, it } from 'vitest';
import { batchNormForward, batchNormGradients, columnStatistics } from './batchNorm';
import { expectClose } from './close';
import { jacobian } from './differences';
import { standardNormalLogProb } from './distributions';
import {
  type GoldenMafCase,
  type GoldenTensors,
  goldenCases,
  namedGradients,
  parameterArrays,
  referenceMade,
  values,
} from './goldens';
import { slogdet } from './linalg';
import {
  flowForward,
  flowInverse,
  flowLogProb,
  maskedAffineForward,
  maskedAffineGradients,
  maskedAffineLayer,
} from './maf';
import { adamState, adamStep } from './optim';

type Parameters = Record<string, Float64Array>;

/** log p and the gradients of −mean log p, layer by layer: what training needs. */
function lossAndGradients(golden: GoldenMafCase, parameters: Parameters[], inputs: GoldenTensors) {
  const { boundA } = golden.config;
  const context = inputs.context ? values(inputs.context) : null;
  const n = inputs.x!.shape[0]!;
  const seen: Float64Array[] = [];
  const logDet = new Float64Array(n);
  let x = values(inputs.x);
  golden.layers.forEach((layer, k) => {
    seen.push(x);
    const mapped =
      layer.type === 'made'
        ? maskedAffineForward(referenceMade(layer, parameters[k]), x, n, context, boundA)
        : batchNormForward(x, n, parameters[k]!.logGamma!, parameters[k]!.beta!);
    x = Float64Array.from(mapped.y);
    mapped.logDet.forEach((value, row) => {
      logDet[row]! += value;
    });
  });
  const logProb = standardNormalLogProb(x, n).map((value, row) => value + logDet[row]!);
  const noise = x;
  const dLogDet = new Float64Array(n).fill(-1 / n);
  let dU = noise.map((u) => u / n);
  const gradients: Parameters[] = [];
  for (let k = golden.layers.length - 1; k >= 0; k--) {
    const layer = golden.layers[k]!;
    if (layer.type === 'made') {
      const made = referenceMade(layer, parameters[k]);
      const g = maskedAffineGradients(made, seen[k]!, n, dU, dLogDet, context, boundA);
      gradients.unshift(namedGradients(g));
      dU = Float64Array.from(g.dx);
    } else {
      const g = batchNormGradients(seen[k]!, n, parameters[k]!.logGamma!, dU, dLogDet);
      gradients.unshift({ logGamma: g.dLogGamma, beta: g.dBeta });
      dU = Float64Array.from(g.dx);
    }
  }
  const loss = -logProb.reduce((sum, value) => sum + value, 0) / n;
  return { noise, logDet, logProb, loss, gradients, dx: dU };
}

describe('MAF', () => {
  const cases = goldenCases('maf').map((c) => [c.name, c] as const);

  it.each(cases)('%s: log p and gradients of PyTorch', (_, golden) => {
    const parameters = golden.layers.map(parameterArrays);
    const result = lossAndGradients(golden, parameters, golden.inputs);
    // 512 eps: three MADEs and exponentials in a row; errors multiply by exp(|a|) each.
    expectClose(result.noise, values(golden.outputs.noise), 512, 'noise');
    expectClose(result.logDet, values(golden.outputs.logDet), 512, 'logDet');
    expectClose(result.logProb, values(golden.outputs.logProb), 512, 'logProb');
    expectClose([result.loss], [golden.outputs.loss], 512, 'loss');
    expectClose(result.dx, values(golden.gradients.inputs.x), 512, 'dx');
    result.gradients.forEach((layer, k) => {
      for (const [name, actual] of Object.entries(layer)) {
        expectClose(actual, values(golden.gradients.layers[k]![name]), 1024, `${k}.${name}`);
      }
    });
  });

  it.each(cases)('%s: parameters after ten Adam steps', (_, golden) => {
    const parameters = golden.layers.map(parameterArrays);
    const states = parameters.map((layer) =>
      Object.fromEntries(Object.entries(layer).map(([name, p]) => [name, adamState(p.length)])),
    );
    golden.training.batches.forEach((batch, step) => {
      const { loss, gradients } = lossAndGradients(golden, parameters, batch);
      expectClose([loss], [golden.training.losses[step]!], 1e-12 / 2 ** -52, `loss ${step}`);
      parameters.forEach((layer, k) => {
        for (const [name, parameter] of Object.entries(layer)) {
          adamStep(parameter, gradients[k]![name]!, states[k]![name]!, golden.training.optimizer);
        }
      });
    });
    parameters.forEach((layer, k) => {
      for (const [name, parameter] of Object.entries(layer)) {
        const expected = values(golden.training.layers[k]![name]);
        // The issue's own bound, 1e-10 relative: Adam divides by √v, which magnifies the rounding of small gradients.
        expectClose(parameter, expected, 1e-10 / 2 ** -52, `${k}.${name}`);
      }
    });
  });

  it.each(cases.filter(([, c]) => !c.config.batchNorm))('%s: D passes give x back', (_, golden) => {
    const n = golden.inputs.x!.shape[0]!;
    const context = golden.inputs.context ? values(golden.inputs.context) : null;
    const layers = golden.layers.map((layer) => {
      if (layer.type !== 'made') throw new Error('a MADE was expected');
      return maskedAffineLayer(referenceMade(layer), context, golden.config.boundA);
    });
    const x = values(golden.inputs.x);
    expectClose(flowLogProb(layers, x, n), values(golden.outputs.logProb), 512, 'logProb');
    const back = flowInverse(layers, values(golden.outputs.noise), n);
    // The inverse amplifies: exp(a) and the slope of the networks, a layer.
    expectClose(back.y, x, 1e5, 'x');
    expectClose(
      back.logDet,
      values(golden.outputs.logDet).map((v) => -v),
      1e5,
      'logDet',
    );
  });

  it.each(cases.filter(([, c]) => !c.config.batchNorm))(
    '%s: logDet is slogdet of the Jacobian, at each row',
    (_, golden) => {
      const { features, contextFeatures, boundA } = golden.config;
      const x = values(golden.inputs.x);
      const context = golden.inputs.context ? values(golden.inputs.context) : null;
      const layers = golden.layers.map((layer) => {
        if (layer.type !== 'made') throw new Error('a MADE was expected');
        return referenceMade(layer);
      });
      const n = golden.inputs.x!.shape[0]!;
      let largest = 0;
      for (let row = 0; row < n; row++) {
        const one = context?.slice(row * contextFeatures, (row + 1) * contextFeatures) ?? null;
        const flow = layers.map((made) => maskedAffineLayer(made, one, boundA));
        const point = x.slice(row * features, (row + 1) * features);
        const { values: j, error } = jacobian((p) => flowForward(flow, p, 1).y, point, 1e-4);
        expect(error, 'no ReLU kink within the step').toBeLessThan(1e-6);
        const { sign, logAbs } = slogdet(j, features);
        const logDet = flowForward(flow, point, 1).logDet[0]!;
        expect(sign).toBe(1);
        // Differences with a step of 1e-4 are good to about 1e-11 of the largest entry.
        expect(logAbs, `row ${row}`).toBeCloseTo(logDet, 7);
        largest = Math.max(largest, Math.abs(logDet));
      }
      expect(largest).toBeGreaterThan(0.5);
    },
  );

  it('batch norm at evaluation: statistics of the whole training set', () => {
    const golden = goldenCases('maf').find((c) => c.config.batchNorm)!;
    const everything = golden.training.batches.flatMap((batch) => [...values(batch.x)]);
    const parameters = golden.training.layers.map((params) => parameterArrays({ params }));
    expect(parameters.length).toBe(golden.layers.length);
    const count = everything.length / golden.config.features;
    const n = golden.inputs.x!.shape[0]!;
    let train = Float64Array.from(everything);
    let x = values(golden.inputs.x);
    const logDet = new Float64Array(n);
    let index = 0;
    for (const layer of golden.layers) {
      if (layer.type === 'made') {
        const made = referenceMade(layer);
        train = Float64Array.from(maskedAffineForward(made, train, count, null, 'tanh').y);
        const mapped = maskedAffineForward(made, x, n, null, 'tanh');
        x = Float64Array.from(mapped.y);
        mapped.logDet.forEach((v, row) => {
          logDet[row]! += v;
        });
      } else {
        const statistics = columnStatistics(train, count);
        const stored = golden.evaluation!.statistics[index++]!;
        expectClose(statistics.mean, values(stored.mean), 512, 'mean');
        expectClose(statistics.variance, values(stored.variance), 512, 'variance');
        const { logGamma, beta } = parameterArrays(layer);
        const mapped = batchNormForward(x, n, logGamma!, beta!, statistics, layer.eps);
        train = Float64Array.from(batchNormForward(train, count, logGamma!, beta!).y);
        x = Float64Array.from(mapped.y);
        mapped.logDet.forEach((v, row) => {
          logDet[row]! += v;
        });
      }
    }
    const logProb = standardNormalLogProb(x, n).map((v, row) => v + logDet[row]!);
    expectClose(logProb, values(golden.evaluation!.logProb), 1024, 'logProb');
  });
});

describe('IAF by reverse KL', () => {
  it.each(goldenCases('iafReverseKl').map((c) => [c.name, c] as const))(
    '%s: samples, loss and gradients of PyTorch',
    (_, golden) => {
      const { boundA } = golden.config;
      const n = golden.inputs.noise!.shape[0]!;
      const context = golden.inputs.context ? values(golden.inputs.context) : null;
      const mades = golden.layers.map((layer) => referenceMade(layer));
      const noise = values(golden.inputs.noise);
      const seen: Float64Array[] = [];
      let x = noise;
      const logDet = new Float64Array(n);
      for (const made of mades) {
        seen.push(x);
        const mapped = maskedAffineForward(made, x, n, context, boundA);
        x = Float64Array.from(mapped.y);
        mapped.logDet.forEach((v, row) => {
          logDet[row]! += v;
        });
      }
      expectClose(x, values(golden.outputs.x), 512, 'x');
      const logQ = standardNormalLogProb(noise, n).map((v, row) => v - logDet[row]!);
      expectClose(logQ, values(golden.outputs.logQ), 512, 'logQ');
      const center = values(golden.target.center);
      const scale = values(golden.target.scale);
      const bend = values(golden.target.bend)[0]!;
      const features = golden.config.features;
      // loss = mean(log q − log target); −∂log target/∂x, over N.
      const dX = x.map((value, i) => {
        const [row, d] = [Math.floor(i / features), i % features];
        const curve = x[row * features + 1]! - x[row * features]! ** 2;
        const bent = d === 0 ? -4 * bend * curve * value : d === 1 ? 2 * bend * curve : 0;
        return ((value - center[d]!) / scale[d]! ** 2 + bent) / n;
      });
      let dOut = dX;
      const dLogDet = new Float64Array(n).fill(-1 / n);
      for (let k = mades.length - 1; k >= 0; k--) {
        const g = maskedAffineGradients(mades[k]!, seen[k]!, n, dOut, dLogDet, context, boundA);
        for (const [name, actual] of Object.entries(namedGradients(g))) {
          expectClose(actual, values(golden.gradients.layers[k]![name]), 1024, `${k}.${name}`);
        }
        dOut = Float64Array.from(g.dx);
      }
    },
  );
});
