/** Linear layers, dense and masked. */
import type { FloatDType } from '../dtype';
import { type Activation, linear, maskedLinear, RandomStream } from '../ops';
import { activationRule } from '../ops/activation';
import {
  checkArgument,
  checkOptions,
  count,
  flag,
  dtype as floatType,
  one,
  orNull,
} from '../options';
import { type Tensor, tensorOfArray } from '../tensor/tensor';
import { maskedUniformByFanIn, uniformByFanIn, zeros } from './initialization';
import { type Config, Module } from './module';

export interface LinearConfig extends Config {
  readonly kind: 'linear';
  readonly inputs: number;
  readonly outputs: number;
  readonly bias: boolean;
  readonly activation: Activation;
  readonly dtype: FloatDType;
}

interface LinearOptions {
  bias?: boolean;
  activation?: Activation;
  dtype?: FloatDType;
}

/** A stream of random numbers, or none. */
const aStream = orNull(one('a RandomStream', () => RandomStream));
const anInt32Array = one('an Int32Array', () => Int32Array);
const layerRules = { bias: flag, activation: activationRule, dtype: floatType };

function checkLayer(where: string, options: LinearOptions, stream: RandomStream | null): void {
  checkOptions(where, options, layerRules);
  checkArgument(where, 'stream', stream, aStream);
}

/** [outputs] to start with; null without one. */
function biasOf(
  inputs: number,
  outputs: number,
  { bias = true, dtype = 'float32' }: LinearOptions,
  stream: RandomStream | null,
): Tensor | null {
  if (!bias) return null;
  return stream ? uniformByFanIn(stream, [outputs], inputs, dtype) : zeros([outputs], dtype);
}

/** y = act(x Wᵀ + b (+ addend)) with weight [outputs, inputs] and bias [outputs]. */
export class Linear extends Module {
  readonly weight: Tensor;
  readonly bias: Tensor | null;

  /** @param stream random numbers for the start; null starts at zero, as last layers do */
  constructor(
    readonly inputs: number,
    readonly outputs: number,
    readonly options: LinearOptions,
    stream: RandomStream | null,
  ) {
    super();
    checkArgument('Linear', 'inputs', inputs, count);
    checkArgument('Linear', 'outputs', outputs, count);
    checkLayer('Linear', options, stream);
    const dtype = options.dtype ?? 'float32';
    this.weight = this.parameter(
      'weight',
      stream
        ? uniformByFanIn(stream, [outputs, inputs], inputs, dtype)
        : zeros([outputs, inputs], dtype),
    );
    const bias = biasOf(inputs, outputs, options, stream);
    this.bias = bias && this.parameter('bias', bias);
  }

  apply(x: Tensor, addend: Tensor | null = null): Tensor {
    return linear(x, this.weight, this.bias, {
      activation: this.options.activation ?? 'none',
      addend,
    });
  }

  config(): LinearConfig {
    const { bias = true, activation = 'none', dtype = 'float32' } = this.options;
    return { kind: 'linear', inputs: this.inputs, outputs: this.outputs, bias, activation, dtype };
  }
}

/** A linear layer whose output o sees only the inputs i < extents[o]. */
export class MaskedLinear extends Module {
  readonly weight: Tensor;
  readonly bias: Tensor | null;
  /** int32 [outputs]. */
  readonly extents: Tensor;
  readonly extentsArray: Int32Array;

  constructor(
    readonly inputs: number,
    extents: Int32Array,
    readonly options: LinearOptions,
    stream: RandomStream | null,
  ) {
    super();
    checkArgument('MaskedLinear', 'inputs', inputs, count);
    checkArgument('MaskedLinear', 'extents', extents, anInt32Array);
    checkLayer('MaskedLinear', options, stream);
    const dtype = options.dtype ?? 'float32';
    const outputs = extents.length;
    this.extentsArray = extents;
    this.weight = this.parameter(
      'weight',
      stream
        ? maskedUniformByFanIn(stream, extents, inputs, dtype)
        : zeros([outputs, inputs], dtype),
    );
    const bias = biasOf(inputs, outputs, options, stream);
    this.bias = bias && this.parameter('bias', bias);
    this.extents = this.own(tensorOfArray(extents, [outputs]));
  }

  get outputs(): number {
    return this.extentsArray.length;
  }

  apply(x: Tensor, addend: Tensor | null = null): Tensor {
    return maskedLinear(x, this.weight, this.bias, {
      extents: this.extents,
      activation: this.options.activation ?? 'none',
      addend,
    });
  }

  config(): Config {
    const { bias = true, activation = 'none', dtype = 'float32' } = this.options;
    return {
      kind: 'maskedLinear',
      inputs: this.inputs,
      extents: [...this.extentsArray],
      bias,
      activation,
      dtype,
    };
  }
}
