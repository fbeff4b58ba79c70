/** fit with activations that are rebuilt: the same training, the guard over the rebuilding, and a resume after it acted. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type FitOptions, fit } from '../../lib/train';
import { curvedRows, digest, smallMaf } from './support';

const train = curvedRows(330, 1);

async function trained(options: FitOptions, build = smallMaf) {
  const flow = build();
  const warnings: string[] = [];
  const result = await fit(flow, train, {
    epochs: 3,
    batchSize: 100,
    onWarning: (message) => warnings.push(message),
    ...options,
  });
  const [bits, weights] = [digest(flow), flow.parameters().map((p) => [...p.dataSync()])];
  flow.dispose();
  return { bits, weights, warnings, result };
}

const float64 = () => smallMaf({ dtype: 'float64' });

it.each(['invertible', 'checkpoints'] as const)(
  '%s: the weights of the taped training',
  async (memory) => {
    const taped = await trained({}, float64);
    const kept = await trained({ memory }, float64);
    // Adam divides by the root of the second moment: the rounding of a rebuilt x, some 1e-15, comes out ten thousandfold.
    const [before, after] = [taped.weights.flat(), kept.weights.flat()];
    expect(after.length).toBe(before.length);
    const off = before.map((value, i) => Math.abs((after[i] as number) - value));
    expect(off.reduce((a, b) => Math.max(a, b))).toBeLessThan(1e-10);
    expect(kept.result.memory).toBe(memory);
    expect(kept.result.drift > 0).toBe(memory === 'invertible');
    expect(kept.warnings).toEqual([]);
  },
);

it('the same weights bit for bit, recorded or not', async () => {
  const recorded = await trained({ memory: 'invertible' });
  const eager = await trained({ memory: 'invertible', compile: false });
  expect(recorded.result.compiled).toBe(true);
  expect(eager.bits).toBe(recorded.bits);
  expect(recorded.result.drift).toBeLessThan(1e-4);
});

it.each([true, false])(
  'above the tolerance: a warning, the step again with checkpoints (compile %s)',
  async (compile) => {
    const guarded = await trained({ memory: 'invertible', driftTolerance: 1e-12, compile });
    const checkpoints = await trained({ memory: 'checkpoints', compile });
    expect(guarded.warnings).toHaveLength(1);
    expect(guarded.warnings[0]).toMatch(
      /^\[fit\] memory: expected .* within 1e-12, got a relative error of \d/,
    );
    expect(guarded.result.memory).toBe('checkpoints');
    expect(guarded.result.compiled).toBe(compile);
    expect(guarded.bits).toBe(checkpoints.bits);
  },
);

it('a resumed training goes on as the guard left it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'flow-memory-'));
  const path = join(folder, 'checkpoint.safetensors');
  const options: FitOptions = { memory: 'invertible', driftTolerance: 1e-12 };
  const whole = await trained(options);
  await trained({ ...options, steps: 5, checkpoint: { path } });
  const resumed = await trained({ ...options, resume: path });
  expect(resumed.warnings).toEqual([]);
  expect(resumed.bits).toBe(whole.bits);
  await expect(trained({ memory: 'taped', resume: path })).rejects.toThrow(
    /\[resume\] memory: expected "invertible"/,
  );
  await rm(folder, { recursive: true });
});

it('names what is wrong with the options', async () => {
  await expect(trained({ memory: 'sparse' as never })).rejects.toThrow(
    /\[fit\] memory: expected 'taped'/,
  );
  await expect(trained({ driftTolerance: -1 })).rejects.toThrow(/\[fit\] driftTolerance: expected/);
});
