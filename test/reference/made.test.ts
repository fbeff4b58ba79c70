import { describe, expect, it } from 'vitest';
import { sigmoid } from './activations';
import { expectClose } from './close';
import { bernoulliLogProb } from './distributions';
import { goldenCases, namedGradients, referenceMade, values } from './goldens';
import {
  hiddenMask,
  inputDegrees,
  madeForward,
  madeGradients,
  outputMask,
  sequentialDegrees,
} from './made';

describe('MADE masks', () => {
  it('has sequential degrees, sorted', () => {
    expect(sequentialDegrees(4, 8)).toEqual([1, 1, 1, 2, 2, 2, 3, 3]);
    expect(sequentialDegrees(4, 6, 0)).toEqual([0, 0, 1, 1, 2, 3]);
    expect(sequentialDegrees(1, 3)).toEqual([1, 1, 1]);
    expect(inputDegrees(3, 'reversed')).toEqual([3, 2, 1]);
  });

  it.each(goldenCases('made').map((c) => [c.name, c] as const))(
    '%s: masks as PyTorch built them',
    (_, { made }) => {
      let seen = made.inputDegrees;
      made.hiddenDegrees.forEach((degrees, k) => {
        expect(hiddenMask(degrees, seen)).toEqual(made.masks[`hidden.${k}.weight`]!.data);
        seen = degrees;
      });
      expect(outputMask(made.inputDegrees, seen, made.outputsPerFeature)).toEqual(
        made.masks['output.weight']!.data,
      );
    },
  );
});

describe('MADE network', () => {
  it.each(goldenCases('made').map((c) => [c.name, c] as const))(
    '%s: outputs and gradients of PyTorch',
    (_, golden) => {
      const made = referenceMade(golden.made);
      const x = values(golden.inputs.x);
      const context = golden.inputs.context ? values(golden.inputs.context) : null;
      const n = golden.inputs.x!.shape[0]!;
      // 64 eps: sums of at most 17 terms, three layers deep.
      expectClose(madeForward(made, x, n, context), values(golden.outputs.y), 64, 'y');
      const g = madeGradients(made, x, n, values(golden.outputWeights), context);
      expectClose(g.dx, values(golden.gradients.x), 64, 'dx');
      if (context) expectClose(g.dContext!, values(golden.gradients.context), 64, 'dContext');
      for (const [name, actual] of Object.entries(namedGradients(g))) {
        expectClose(actual, values(golden.gradients[name]), 64, name);
      }
    },
  );

  it.each(goldenCases('made').map((c) => [c.name, c] as const))(
    '%s: an output depends on earlier dimensions only',
    (_, golden) => {
      const made = referenceMade(golden.made);
      const context = golden.inputs.context ? values(golden.inputs.context) : null;
      const n = golden.inputs.x!.shape[0]!;
      const before = madeForward(made, values(golden.inputs.x), n, context);
      for (let j = 0; j < made.features; j++) {
        const x = values(golden.inputs.x).map((v, i) => (i % made.features === j ? v + 0.7 : v));
        const after = madeForward(made, x, n, context);
        const width = made.features * made.outputsPerFeature;
        let changed = false;
        before.forEach((value, i) => {
          const d = Math.floor((i % width) / made.outputsPerFeature);
          const later = made.inputDegrees[d]! > made.inputDegrees[j]!;
          if (!later) expect(after[i]).toBe(value);
          else if (after[i] !== value) changed = true;
        });
        if (made.inputDegrees[j]! < made.features)
          expect(changed, `dimension ${j} is used`).toBe(true);
      }
    },
  );

  it.each(goldenCases('bernoulliMade').map((c) => [c.name, c] as const))(
    '%s: Bernoulli loss and gradients of PyTorch',
    (_, golden) => {
      const made = referenceMade(golden.made);
      const x = values(golden.inputs.x);
      const n = golden.inputs.x.shape[0]!;
      const logits = madeForward(made, x, n);
      expectClose(logits, values(golden.outputs.logits), 64, 'logits');
      const logProb = bernoulliLogProb(x, n, logits);
      expectClose(logProb, values(golden.outputs.logProb), 64, 'logProb');
      // d(−mean log p)/dlogit = (σ(l) − x)/N.
      const dLogits = logits.map((l, i) => (sigmoid(l) - x[i]!) / n);
      expectClose(dLogits, values(golden.gradients.logits), 64, 'dLogits');
      const g = madeGradients(made, x, n, dLogits);
      for (const [name, actual] of Object.entries(namedGradients(g))) {
        expectClose(actual, values(golden.gradients[name]), 128, name);
      }
    },
  );
});
