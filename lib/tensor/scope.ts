/** Scopes: what is made inside and not returned is freed at the end. */
import { expected, FlowError } from '../errors';
import { callback, checkArgument } from '../options';
import type { Tensor } from './tensor';

let current: Tensor[] | null = null;

/** The tensors of the innermost open scope, or null outside of every scope. */
export function currentScope(): Tensor[] | null {
  return current;
}

function collect(value: unknown, into: Set<unknown>, depth: number): void {
  if (value === null || typeof value !== 'object' || depth > 4) return;
  if ('storage' in value && 'dispose' in value) {
    into.add(value);
  } else if (Array.isArray(value)) {
    for (const item of value) collect(item, into, depth + 1);
  } else if (value instanceof Map) {
    for (const item of value.values()) collect(item, into, depth + 1);
  } else if (Object.getPrototypeOf(value) === Object.prototype) {
    for (const item of Object.values(value)) collect(item, into, depth + 1);
  }
}

/**
 * Runs `body` and disposes every tensor made in it but those in its result (a tensor, or tensors in plain arrays,
 * objects or Maps), which move to the surrounding scope. Must be synchronous: a Promise as result is an error,
 * because work after an `await` would run in another scope.
 */
export function scope<T>(body: () => T): T {
  checkArgument('scope', 'body', body, callback);
  const outer = current;
  const made: Tensor[] = [];
  current = made;
  let result: T;
  try {
    result = body();
    if (result instanceof Promise) {
      throw new FlowError(
        'ARGUMENT',
        expected(
          'scope',
          'body',
          'a synchronous function',
          'a Promise',
          'await outside of the scope',
        ),
      );
    }
  } catch (error) {
    current = outer;
    for (const tensor of made) tensor.dispose();
    throw error;
  }
  current = outer;
  const returned = new Set<unknown>();
  collect(result, returned, 0);
  for (const tensor of made) {
    if (returned.has(tensor)) tensor.adopt();
    else tensor.dispose();
  }
  return result;
}

/** What was kept since the innermost allOrNothing began. */
let attempted: Tensor[] | null = null;

/** Runs `body`, whose tensors live on; where it throws, all that it had made, and kept, are freed at once. */
export function allOrNothing<T>(body: () => T): T {
  const [outer, outerAttempt] = [current, attempted];
  const made: Tensor[] = [];
  const kept: Tensor[] = [];
  [current, attempted] = [made, kept];
  let result: T;
  try {
    result = body();
  } catch (error) {
    for (const tensor of [...made, ...kept]) tensor.dispose();
    throw error;
  } finally {
    [current, attempted] = [outer, outerAttempt];
  }
  for (const tensor of made) tensor.adopt();
  attempted?.push(...kept);
  return result;
}

/** Takes a tensor out of the open scopes: it lives until it is disposed. */
export function keep<T extends Tensor>(tensor: T): T {
  if (current) {
    const at = current.lastIndexOf(tensor);
    if (at >= 0) {
      current.splice(at, 1);
      tensor.adoptAtTop();
      attempted?.push(tensor);
    }
  }
  return tensor;
}
