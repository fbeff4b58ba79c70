/** Which layer made a number that is not finite: the step once more, layer by layer. */
import { valueAndGradient } from '../autograd/gradient';
import { expected, FlowError } from '../errors';
import type { Module } from '../nn/module';
import { scope } from '../tensor/scope';
import { Tensor } from '../tensor/tensor';
import type { Parameter } from './parameters';

/** Where it went wrong. */
export interface Finding {
  /** Path of the module in the model, or 'loss'. */
  readonly layer: string;
  /** What of it: an output, a gradient. */
  readonly what: string;
  /** NaN or ±Infinity. */
  readonly value: number;
}

function firstBad(tensor: Tensor): number | undefined {
  if (tensor.dtype !== 'float32' && tensor.dtype !== 'float64') return undefined;
  for (const value of tensor.dataSync()) if (!Number.isFinite(value)) return value;
  return undefined;
}

/** The names under which modules are called; what they return is a tensor or an object of tensors. */
const calls = ['forward', 'inverse', 'forwardPart', 'inversePart', 'apply', 'logProb'] as const;

/**
 * Runs the loss and its gradient eagerly and looks at what each module returns. Modules that are inside of others
 * return before them, so the first finding is the innermost layer that is to blame.
 *
 * Gradients come into being from the last layer to the first, so of these the last layer's is the first finding.
 */
export function diagnose(
  model: Module,
  loss: () => Tensor,
  parameters: readonly Parameter[],
): Finding {
  let found: Finding | null = null;
  const look = (layer: string, what: string, tensor: unknown) => {
    if (found !== null || !(tensor instanceof Tensor)) return;
    const value = firstBad(tensor);
    if (value !== undefined) found = { layer, what, value };
  };
  const undo: (() => void)[] = [];
  for (const [path, module] of model.modules()) {
    for (const name of calls) {
      const members = module as unknown as Record<string, unknown>;
      const method = members[name];
      if (path === '' || typeof method !== 'function') continue;
      members[name] = (...args: unknown[]) => {
        const result: unknown = method.apply(module, args);
        if (result instanceof Tensor) look(path, 'output', result);
        else if (result !== null && typeof result === 'object')
          for (const [key, tensor] of Object.entries(result)) look(path, key, tensor);
        return result;
      };
      undo.push(() => delete members[name]);
    }
  }
  try {
    scope(() => {
      const tensors = parameters.map((parameter) => parameter.tensor);
      for (const { name, tensor } of parameters) look(name, 'value', tensor);
      const { value, gradients } = valueAndGradient(loss, tensors);
      look('loss', 'value', value);
      for (let k = gradients.length - 1; k >= 0; k--)
        look((parameters[k] as Parameter).name, 'gradient', gradients[k]);
    });
  } finally {
    for (const restore of undo) restore();
  }
  return found ?? { layer: 'gradients', what: 'norm', value: Number.POSITIVE_INFINITY };
}

/** The error that ends a training whose step is not finite. */
export function numericError(
  where: string,
  finding: Finding,
  at: { step: number; epoch?: number; learningRate: number; clips: boolean },
): FlowError {
  const { layer, what, value } = finding;
  const epoch = at.epoch === undefined ? '' : ` of epoch ${at.epoch}`;
  const remedy = layer.startsWith('preprocessing')
    ? 'the data are outside of the domain of the preprocessing: check its range'
    : `lower the learning rate (now ${at.learningRate}), ${at.clips ? 'lower' : 'set'} clipNorm, or bound the scale ` +
      'of the layer (the model holds the weights from before this step)';
  return new FlowError(
    'NUMERIC',
    expected(
      where,
      `${layer}, ${what} in step ${at.step}${epoch}`,
      'finite numbers',
      String(value),
      remedy,
    ),
  );
}
