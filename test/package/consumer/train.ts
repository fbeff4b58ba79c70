// What a user of the installed package writes. pack.test.ts compiles it as a CommonJS module (require) and
// as an ES module (import), strictly, and runs both.
import {
  adam,
  type FitResult,
  type Flow,
  FlowError,
  fit,
  maf,
  setThreads,
  Tensor,
} from 'flow-kernels';

/** x ~ N(0, 1), y | x ~ N(0.9 x, 0.2²): an affine autoregressive map reaches its entropy. */
function table(rows: number): number[][] {
  let state = 12345;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  return Array.from({ length: rows }, () => {
    const x = normal();
    return [x, 0.9 * x + 0.2 * normal()];
  });
}

function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i += 1) sum += values[i] ?? Number.NaN;
  return sum / values.length;
}

async function main(): Promise<void> {
  setThreads(1);
  const [train, test] = [table(2000), table(500)];
  const flow: Flow = maf({ features: 2, transforms: 2, hidden: [16], seed: 1 });
  const before = flow.logProb(test);
  const result: FitResult = await fit(flow, train, {
    batchSize: 100,
    epochs: 25,
    seed: 1,
    optimizer: adam({ lr: 1e-2 }),
  });
  const after = flow.logProb(Float64Array.from(test.flat()));
  const samples = flow.sample(7, { seed: 2 });
  let code = '';
  try {
    flow.logProb([[1, 2, 3]]);
  } catch (error) {
    if (error instanceof FlowError) code = error.code;
  }
  process.stdout.write(
    `${JSON.stringify({
      before: mean(await before.data()),
      after: mean(await after.data()),
      steps: result.steps,
      shape: samples.shape,
      isTensor: samples instanceof Tensor,
      code,
    })}\n`,
  );
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
