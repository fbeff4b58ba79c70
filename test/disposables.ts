/** Things of a test that are freed when it has ended, however it ended. */
import { afterEach } from 'vitest';

const owned: { dispose(): void }[] = [];

/** Hands the thing back, and disposes it after the test. */
export function own<T extends { dispose(): void }>(thing: T): T {
  owned.push(thing);
  return thing;
}

afterEach(() => {
  for (const thing of owned.splice(0)) thing.dispose();
});
