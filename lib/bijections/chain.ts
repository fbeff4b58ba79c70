/** A chain of bijections, applied first to last in the forward direction. */
import { expected, FlowError } from '../errors';
import type { Config } from '../nn/module';
import { build, register } from '../nn/registry';
import { add, full } from '../ops';
import { checkArgument, countOrNone, list } from '../options';
import { scope } from '../tensor/scope';
import type { Tensor } from '../tensor/tensor';
import { activations } from './activations';
import { aBijection, Bijection, type Forward, type Inverse } from './bijection';
import { rebuildableForward } from './rebuild';
import { mergeSolves, type Solved, solved } from './solve';
import { forwardThrough, inverseThrough } from './through';

export class Chain extends Bijection {
  override readonly features: number;
  override readonly contextFeatures: number;
  override readonly fastDirection: 'both' | 'forward' | 'inverse';
  readonly bijections: readonly Bijection[];

  /** @param features needed for an empty chain only, which is the identity */
  constructor(bijections: readonly Bijection[], features = bijections?.[0]?.features ?? 0) {
    super();
    checkArgument('Chain', 'bijections', bijections, list);
    for (const [k, bijection] of bijections.entries())
      checkArgument('Chain', `bijections[${k}]`, bijection, aBijection);
    checkArgument('Chain', 'features', features, countOrNone);
    this.features = features;
    this.bijections = bijections;
    let context = 0;
    for (const [index, bijection] of bijections.entries()) {
      if (bijection.features !== features) {
        throw new FlowError(
          'SHAPE',
          expected(
            'Chain',
            `bijection ${index}`,
            `${features} features`,
            `${bijection.features}`,
            'all bijections of a chain have the same number of features',
          ),
        );
      }
      if (bijection.contextFeatures > 0) {
        if (context > 0 && bijection.contextFeatures !== context) {
          throw new FlowError(
            'SHAPE',
            expected(
              'Chain',
              `bijection ${index}`,
              `context of ${context} columns`,
              `${bijection.contextFeatures}`,
              'all bijections of a chain see the same context',
            ),
          );
        }
        context = bijection.contextFeatures;
      }
      this.child(String(index), bijection);
    }
    this.contextFeatures = context;
    const slow = new Set(bijections.map((bijection) => bijection.fastDirection));
    slow.delete('both');
    this.fastDirection = slow.size === 1 ? ([...slow][0] as 'forward' | 'inverse') : 'both';
  }

  protected override mapForward(x: Tensor, context: Tensor | null): Forward {
    const kept = activations();
    if (kept.memory === 'taped') return forwardThrough(this.bijections, x, context);
    return scope(() => {
      let y = x;
      let logDet: Tensor | null = null;
      let solve: Solved['solve'];
      for (const part of partsOf(this.bijections)) {
        const through = part[0]?.rebuildable ? rebuildableForward : forwardThrough;
        const step = through(part, y, context);
        y = step.y;
        logDet = logDet === null ? step.logDet : add(logDet, step.logDet);
        solve = mergeSolves(solve, step.solve);
      }
      return { y, logDet: logDet ?? full([x.rows], 0, 'float64'), ...solved(solve) };
    });
  }

  protected override mapInverse(y: Tensor, context: Tensor | null): Inverse {
    return inverseThrough(this.bijections, y, context);
  }

  /** Bijection by bijection: each sees the whole training set as mapped by those before it. */
  override *calibrate(rows: Tensor, context: Tensor | null = null): Generator<void, void> {
    for (const bijection of this.bijections)
      yield* bijection.calibrate(rows, this.contextFor(bijection, context));
  }

  override *initialize(rows: Tensor, context: Tensor | null = null): Generator<void, void> {
    for (const bijection of this.bijections)
      yield* bijection.initialize(rows, this.contextFor(bijection, context));
  }

  config(): Config {
    return {
      kind: 'chain',
      features: this.features,
      bijections: this.bijections.map((bijection) => bijection.config()),
    };
  }
}

/** Neighbours that backward may rebuild, together; the others alone. Chains inside of the chain are taken apart. */
function partsOf(bijections: readonly Bijection[]): Bijection[][] {
  const parts: Bijection[][] = [];
  const flat = bijections.flatMap(function links(link): readonly Bijection[] {
    return link instanceof Chain ? link.bijections.flatMap(links) : [link];
  });
  for (const bijection of flat) {
    const last = parts.at(-1);
    if (last?.[0]?.rebuildable && bijection.rebuildable) last.push(bijection);
    else parts.push([bijection]);
  }
  return parts;
}

register<{ kind: 'chain'; features: number; bijections: readonly Config[] }>(
  'chain',
  (config) =>
    new Chain(
      config.bijections.map((below) => build(below) as Bijection),
      config.features,
    ),
);
