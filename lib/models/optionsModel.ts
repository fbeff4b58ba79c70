/** Models that are built from options: what their files say of them, and the way back. */
import type { Bijection } from '../bijections/bijection';
import { fixedMapOf, mappedContext } from '../flows/fixedMap';
import { loadAs, type ModelFileOptions, saveModule } from '../flows/modelFile';
import { type Config, Module, withoutUndefined } from '../nn/module';
import { register } from '../nn/registry';
import type { Tensor } from '../tensor/tensor';

/** What any of them may be given. */
export interface ModelOptions {
  /** Context as users have it → as the networks see it, as of flows (FlowParts). */
  readonly contextPreprocessing?: Bijection | null | undefined;
}

type ModelClass = abstract new (...options: never[]) => Module;

export abstract class OptionsModel<O extends ModelOptions> extends Module {
  readonly #kind: string;
  /** What it was built with, other modules apart. */
  protected readonly options: Omit<O, 'contextPreprocessing'>;
  readonly contextPreprocessing: Bijection | null;

  /** @param kind under which its files name it, and {@link registerOptions} */
  constructor(kind: string, { contextPreprocessing = null, ...options }: O) {
    super();
    this.#kind = kind;
    this.options = structuredClone(options);
    this.contextPreprocessing =
      contextPreprocessing && this.child('contextPreprocessing', contextPreprocessing);
  }

  /** The context as the networks take it. @param context [N, contextFeatures] as users have it */
  conditions(context: Tensor | null): Tensor | null {
    return mappedContext(this.contextPreprocessing, context);
  }

  config(): Config {
    const { contextPreprocessing } = this;
    return {
      kind: this.#kind,
      ...withoutUndefined(structuredClone(this.options)),
      ...(contextPreprocessing && { contextPreprocessing: contextPreprocessing.config() }),
    } as unknown as Config;
  }

  /** Writes architecture, weights and state into one safetensors file, atomically. */
  async save(path: string, options: ModelFileOptions = {}): Promise<void> {
    await saveModule(this, path, options);
  }

  /** Reads what `save` of this class wrote. @throws FlowError FILE, FORMAT */
  static async load<C extends ModelClass>(this: C, path: string): Promise<InstanceType<C>> {
    // biome-ignore lint/complexity/noThisInStatic: the class that it is called on
    return loadAs(this, path, `a ${this.name}`);
  }
}

/** Declares how such a model is built from what its `config()` gave. */
export function registerOptions<O extends ModelOptions>(
  kind: string,
  make: new (options: O) => OptionsModel<O>,
): void {
  register(kind, ({ kind: _kind, contextPreprocessing, ...options }: Config) => {
    const map = fixedMapOf(kind, contextPreprocessing as unknown as Config | undefined);
    return new make({ ...options, ...(map && { contextPreprocessing: map }) } as unknown as O);
  });
}
