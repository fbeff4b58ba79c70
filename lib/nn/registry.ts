/** From a config back to the module. Each file registers the kinds that it defines; nothing else lists them. */
import { expected, FlowError } from '../errors';
import type { Config, Module } from './module';

type Builder = (config: never) => Module;

const builders = new Map<string, Builder>();

/** Declares how a kind of module is built from what its `config()` gave. */
export function register<C extends Config>(kind: C['kind'], builder: (config: C) => Module): void {
  if (builders.has(kind)) throw new Error(`[registry] kind ${kind} is registered twice`);
  builders.set(kind, builder as Builder);
}

/** Builds the module of a config, with freshly initialised parameters. */
export function build(config: unknown): Module {
  const kind = (config as Config | null | undefined)?.kind;
  const builder = typeof kind === 'string' ? builders.get(kind) : undefined;
  if (!builder) {
    throw new FlowError(
      'FORMAT',
      expected(
        'build',
        'kind',
        `one of ${[...builders.keys()].sort().join(', ')}`,
        String(kind),
        'the file was written by another version, or is not a model',
      ),
    );
  }
  return builder(config as never);
}
