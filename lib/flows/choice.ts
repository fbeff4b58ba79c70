/** Words of which a recipe takes one. */
import { expected, FlowError } from '../errors';

/** The word, where it is one of `words`. @throws FlowError ARGUMENT where it is none */
export function oneOf<W extends string>(
  where: string,
  what: string,
  word: W,
  words: readonly W[],
): W {
  if (words.includes(word)) return word;
  const list = `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
  throw new FlowError(
    'ARGUMENT',
    expected(where, what, list, String(word), 'pass one of these words'),
  );
}
