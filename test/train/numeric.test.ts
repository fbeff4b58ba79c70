import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Chain } from '../../lib/bijections/chain';
import { Logit } from '../../lib/bijections/logit';
import { MaskedAutoregressive } from '../../lib/bijections/maskedAutoregressive';
import type { FlowError } from '../../lib/errors';
import { affineScalar, cast, exp, log, mean, mul, neg, sqrt, square, sum } from '../../lib/ops';
import { memory } from '../../lib/runtime';
import { adam, type FitOptions, fit, type Loss, sgd } from '../../lib/train';
import { curvedRows, digest, features, integerMaf, integerRows, smallMaf } from './support';

const rows = curvedRows(200, 1);

async function failure(promise: Promise<unknown>): Promise<FlowError> {
  return promise.then(
    () => {
      throw new Error('no error');
    },
    (error: unknown) => error as FlowError,
  );
}

const nll: Loss = ({ model, x, context }) => neg(mean(model.logProbOfRows(x, context, 'model')));

describe.each([true, false])('a step that is not finite, compiled: %s', (compile) => {
  it('names the layer of a bad weight', async () => {
    const flow = smallMaf({ transforms: 3 });
    const second = (flow.bijection as Chain).bijections[2] as MaskedAutoregressive;
    expect(second).toBeInstanceOf(MaskedAutoregressive);
    const bias = second.made.hiddenLayers[1]?.bias;
    bias?.write(new Float32Array(16).fill(Number.NaN, 3, 4));
    const error = await failure(fit(flow, rows, { epochs: 1, compile }));
    expect(error.code).toBe('NUMERIC');
    expect(error.message).toMatch(
      /^\[fit\] bijection\.2\.made\.hidden\.1\.bias, value in step 1 of epoch 1: expected finite numbers, got NaN: lower/,
    );
    flow.dispose();
  });

  it('stops before the step, with the weights and the state of before', async () => {
    // Unbounded scales and a huge rate: exp(−a) overflows after some steps.
    const build = () => smallMaf({ scale: { kind: 'none' }, batchNorm: true });
    const options: FitOptions = { epochs: 100, optimizer: sgd({ lr: 3 }), compile, seed: 4 };
    const flow = build();
    const error = await failure(fit(flow, rows, options));
    expect(error.code).toBe('NUMERIC');
    const found = /^\[fit\] (\S+), (\S+) in step (\d+) of epoch (\d+): /.exec(error.message);
    expect(found?.[1]).toMatch(/^bijection\.\d/);
    expect(error.message).toMatch(
      /lower the learning rate \(now 3\), set clipNorm, or bound the scale/,
    );
    const step = Number(found?.[3]);
    expect(step).toBeGreaterThan(1);
    expect(Number(found?.[4])).toBe(Math.floor((step - 1) / 2) + 1);
    const until = build();
    let before = '';
    await fit(until, rows, {
      ...options,
      steps: step - 1,
      // The state of after the step: at its end fit would calibrate.
      onStep: (info) => {
        if (info.step === step - 1) before = digest(until);
      },
    });
    expect(digest(flow)).toBe(before);
    for (const value of flow.parameters().flatMap((tensor) => [...tensor.dataSync()]))
      expect(Number.isFinite(value)).toBe(true);
    flow.dispose();
    until.dispose();
  });

  it('names the loss where the layers are finite', async () => {
    const flow = smallMaf();
    let steps = 0;
    const loss: Loss = (batch) => log(affineScalar(nll(batch), 0, -1));
    const error = await failure(
      fit(flow, rows, { epochs: 1, loss, compile, onStep: () => void steps++ }),
    );
    expect(error.message).toMatch(/^\[fit\] loss, value in step 1 of epoch 1: .* got NaN/);
    expect(steps).toBe(0);
    flow.dispose();
  });

  it.each([Infinity, 10])(
    'names a gradient where the loss is finite, clipNorm %s',
    async (clipNorm) => {
      const flow = smallMaf({ zeroInitialized: false });
      const weight = flow.namedParameters().get('bijection.0.made.hidden.1.weight');
      const before = digest(flow);
      // √s at s = 0 has an infinite slope; times 0 from the square inside: NaN.
      const loss: Loss = (batch) => {
        const zero = sum(square(affineScalar(weight as never, 0, 0)));
        return mul(affineScalar(nll(batch), 1, 0), affineScalar(cast(sqrt(zero), 'float64'), 1, 1));
      };
      const error = await failure(
        fit(flow, rows, { epochs: 1, loss, compile, ...(clipNorm < Infinity ? { clipNorm } : {}) }),
      );
      expect(error.message).toMatch(
        /^\[fit\] bijection\.0\.made\.hidden\.1\.weight, gradient in step 1 of epoch 1: .* got NaN/,
      );
      expect(error.message).toMatch(clipNorm < Infinity ? /lower clipNorm/ : /set clipNorm/);
      expect(digest(flow)).toBe(before);
      flow.dispose();
    },
  );

  it('says where data leave the domain of the preprocessing', async () => {
    const flow = smallMaf({ preprocessing: new Logit(features, 0) });
    const error = await failure(fit(flow, rows, { epochs: 1, compile }));
    expect(error.message).toMatch(/^\[fit\] preprocessing, y in step 1 .*outside of the domain/);
    flow.dispose();
  });

  it('leaves nothing behind', async () => {
    const flow = integerMaf({ batchNorm: true });
    const before = memory().buffers;
    const loss: Loss = (batch) => exp(affineScalar(nll(batch), 1e6, 0));
    const data = integerRows(200, 1);
    await failure(fit(flow, data, { epochs: 1, loss, compile, ema: 0.9 }));
    expect(memory().buffers).toBe(before);
    flow.dispose();
  });
});

it('the checkpoint from before stays', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'flow-numeric-'));
  const path = join(folder, 'run.safetensors');
  const build = () => smallMaf({ scale: { kind: 'none' } });
  const flow = build();
  const checkpoint = { path, everyEpochs: 1 };
  const optimizer = adam({ lr: 1e-3 });
  const afterEpochs: string[] = [];
  const loss: Loss = (batch) => nll(batch);
  const error = await failure(
    fit(flow, rows, {
      epochs: 9,
      checkpoint,
      optimizer,
      loss,
      onEpoch: ({ epoch }) => {
        afterEpochs.push(digest(flow));
        if (epoch === 2) flow.parameters()[0]?.write(new Float32Array(48).fill(Number.NaN));
      },
    }),
  );
  expect(error.message).toMatch(/in step 5 of epoch 3/);
  const resumed = build();
  const result = await fit(resumed, rows, { epochs: 2, resume: path, optimizer });
  expect(result.steps).toBe(4);
  expect(digest(resumed)).toBe(afterEpochs[1]);
  flow.dispose();
  resumed.dispose();
  rmSync(folder, { recursive: true });
});
