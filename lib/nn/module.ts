/** Modules: named parameters and state in a tree, so that every model can be trained, saved, loaded and freed. */
import type { FloatDType } from '../dtype';
import { currentDevice, type Device, onDevice } from '../tensor/device';
import { keep, scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { type Derivation, Derived, Members, withDerived } from './derived';

/** JSON that describes how to build a module again; its weights are saved beside it. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json };
export interface Config {
  readonly kind: string;
  readonly [key: string]: Json;
}

/** The options as JSON: what was left out stays left out. */
export function withoutUndefined<T extends object>(
  options: T,
): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as never;
}

/** Grows when a module gets a child or derived weights: lists of a tree's are made again then. */
let structure = 0;

export abstract class Module {
  readonly #parameters = new Map<string, Tensor>();
  readonly #state = new Map<string, Tensor>();
  readonly #children = new Map<string, Module>();
  readonly #owned: Tensor[] = [];
  readonly #derived: Derived[] = [];
  #members: Members | null = null;
  #membersAt = -1;
  #training = false;

  /** How to build the module again with `build` of registry.ts. */
  abstract config(): Config;

  /** Whether layers that differ between training and use (batch norm, dropout) behave as in training. */
  get training(): boolean {
    return this.#training;
  }

  /** Switches this module and all below it between training and use. */
  train(on = true): this {
    this.#training = on;
    for (const child of this.#children.values()) child.train(on);
    return this;
  }

  /** Registers a tensor that training changes. */
  protected parameter(name: string, tensor: Tensor): Tensor {
    this.#parameters.set(name, keep(tensor));
    return tensor;
  }

  /** Registers a tensor that is saved with the model but not trained by gradients (running statistics, masks). */
  protected state(name: string, tensor: Tensor): Tensor {
    this.#state.set(name, keep(tensor));
    return tensor;
  }

  /** Registers a tensor that the config rebuilds: it is freed with the module, and not saved. */
  protected own(tensor: Tensor): Tensor {
    this.#owned.push(keep(tensor));
    return tensor;
  }

  /** What is made of the parameters alone: inside of a model's call together with that of the other modules. */
  protected derive<S, T extends readonly Tensor[]>(
    kind: Derivation<S, T>,
    source: () => S,
  ): Derived<S, T> {
    const derived = new Derived(kind, source);
    this.#derived.push(derived as unknown as Derived);
    structure++;
    return derived;
  }

  protected child<M extends Module>(name: string, module: M): M {
    this.#children.set(name, module);
    structure++;
    return module;
  }

  children(): ReadonlyMap<string, Module> {
    return this.#children;
  }

  /** Every parameter of the tree by its path, as `bijection.0.made.layers.1.weight`, in a fixed order. */
  namedParameters(): Map<string, Tensor> {
    return this.#collect((module) => module.#parameters);
  }

  parameters(): Tensor[] {
    return [...this.namedParameters().values()];
  }

  /** Every state tensor of the tree by its path. */
  namedState(): Map<string, Tensor> {
    return this.#collect((module) => module.#state);
  }

  /** What the modules of the tree derive from their parameters. */
  derived(): readonly Derived[] {
    return this.#household().all;
  }

  #household(): Members {
    if (this.#members === null || this.#membersAt !== structure) {
      const all: Derived[] = [];
      const visit = (module: Module): void => {
        all.push(...module.#derived);
        for (const child of module.#children.values()) visit(child);
      };
      visit(this);
      this.#members = new Members(all);
      this.#membersAt = structure;
    }
    return this.#members;
  }

  /** All modules of the tree with their paths, parents first; the root's path is ''. */
  *modules(path = ''): Generator<[string, Module]> {
    yield [path, this];
    for (const [name, child] of this.#children) {
      yield* child.modules(path === '' ? name : `${path}.${name}`);
    }
  }

  #collect(tensorsOf: (module: Module) => ReadonlyMap<string, Tensor>): Map<string, Tensor> {
    const found = new Map<string, Tensor>();
    for (const [path, module] of this.modules()) {
      for (const [name, tensor] of tensorsOf(module)) {
        found.set(path === '' ? name : `${path}.${name}`, tensor);
      }
    }
    return found;
  }

  /** Where the module's tensors are. */
  get device(): Device {
    for (const [, module] of this.modules())
      for (const tensors of [module.#parameters.values(), module.#state.values(), module.#owned])
        for (const tensor of tensors) return tensor.device;
    return currentDevice();
  }

  /** Runs `body` where the module is, in a scope; what the tree derives from its parameters is made together there, and once. */
  protected here<T>(body: () => T): T {
    return onDevice(this.device, () => scope(() => withDerived(() => this.#household(), body)));
  }

  /** Moves the whole tree to a device. @throws FlowError UNSUPPORTED where there is no GPU to be used */
  to(device: Device): this {
    onDevice(device, () => {
      for (const [, module] of this.modules())
        for (const tensors of [module.#parameters.values(), module.#state.values(), module.#owned])
          for (const tensor of tensors) tensor.moveTo(device);
    });
    return this;
  }

  /** Frees the memory of the whole tree. */
  dispose(): void {
    for (const [, module] of this.modules()) {
      for (const tensor of module.#parameters.values()) tensor.dispose();
      for (const tensor of module.#state.values()) tensor.dispose();
      for (const tensor of module.#owned) tensor.dispose();
    }
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** What layers need to know besides their sizes. */
export interface LayerOptions {
  /** Element type of the parameters; default float32. */
  readonly dtype?: FloatDType;
}
