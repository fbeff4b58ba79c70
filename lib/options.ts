/**
 * Options as JavaScript passes them: anything, under any name. What takes options lists, beside their interface, what each of
 * them must be, and the compiler sees to it that none is forgotten. A misspelt option is refused: it would be left out in silence.
 */
import { checkDType } from './dtype';
import { expected, FlowError } from './errors';

/** What an option must be. */
export interface Rule {
  readonly takes: (value: unknown) => boolean;
  /** What is expected, as it stands in the sentence. */
  readonly words: string;
  /** Default: correct the option. */
  readonly remedy?: string;
  /** Whether it may not be left out. */
  readonly required?: boolean;
}

/** A rule for each option; those that have no default are `required`. */
export type Rules<O> = {
  readonly [K in keyof O]-?: undefined extends O[K] ? Rule : Rule & { readonly required: true };
};

/** What an error says of a value that may be anything. */
export function described(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value === 'string')
    return value.trim() !== '' && Number.isFinite(Number(value)) ? `the text '${value}'` : value;
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return 'a function';
  if (typeof value !== 'object') return String(value);
  const parts = Object.values(value);
  const isShort = parts.length <= 8 && parts.every((part) => typeof part !== 'object');
  if (Array.isArray(value)) return isShort ? `[${parts.map(String).join(', ')}]` : 'a list';
  if (!isShort || Object.getPrototypeOf(value) !== Object.prototype)
    return `a ${value.constructor?.name ?? 'bare object'}`;
  if (parts.length === 0) return '{}';
  return `{ ${Object.entries(value)
    .map(([name, part]) => `${name}: ${String(part)}`)
    .join(', ')} }`;
}

export const rule = (
  words: string,
  takes: (value: unknown) => boolean,
  remedy = 'correct the option',
): Rule => ({ words, takes, remedy });

/** The rule for an option that has no default. */
export const required = (rule: Rule): Rule & { readonly required: true } => ({
  ...rule,
  required: true,
});

/** The rule, or null for none. */
export const orNull = (other: Rule): Rule => ({
  ...other,
  takes: (value) => value === null || other.takes(value),
});

const isNumber = (value: unknown): value is number => typeof value === 'number';
const isWhole = (value: unknown, least: number) =>
  Number.isSafeInteger(value) && (value as number) >= least;

export const count = rule('a whole number ≥ 1', (value) => isWhole(value, 1));
/** How often a part is repeated: a slip of the fingers is not to build until the memory is full. */
export const depth = rule(
  'a whole number from 1 to 10000',
  (value) => isWhole(value, 1) && (value as number) <= 10_000,
);
export const countOrNone = rule('a whole number ≥ 0', (value) => isWhole(value, 0));
export const counts = rule(
  'a list of widths',
  (value) => Array.isArray(value) && value.every((one) => isWhole(one, 1)),
  'pass whole numbers ≥ 1, one a layer: [64, 64]',
);
/** Of networks that cannot be without hidden layers. */
export const widths = rule(
  'a list of widths, at least one',
  (value) => counts.takes(value) && (value as readonly number[]).length > 0,
  counts.remedy,
);
export const seed = rule('a whole number', Number.isSafeInteger, 'pass for instance 1');
export const flag = rule('true or false', (value) => typeof value === 'boolean', 'pass one');
export const finite = rule('a finite number', Number.isFinite);
export const number = rule('a number', (value) => isNumber(value) && !Number.isNaN(value));
export const above0 = rule(
  'a finite number above 0',
  (value) => Number.isFinite(value) && (value as number) > 0,
);
export const from0 = rule('a number ≥ 0', (value) => isNumber(value) && value >= 0);
export const text = rule('a text', (value) => typeof value === 'string');
export const callback = rule('a function', (value) => typeof value === 'function', 'pass one');
/** For what is checked where it is used. */
export const object = rule('an object', (value) => typeof value === 'object' && value !== null);
export const list = rule('a list', Array.isArray);
export const numbers = rule(
  'a list of numbers',
  (value) =>
    value instanceof Float64Array || (Array.isArray(value) && value.every((one) => isNumber(one))),
  'pass an array of numbers',
);
export const dtype = rule(
  'float32 or float64',
  (value) => value === 'float32' || value === 'float64',
  'pass one of the two',
);
const hasCounts = (value: unknown, names: readonly string[]) =>
  typeof value === 'object' &&
  value !== null &&
  names.every((name) => isWhole((value as Record<string, unknown>)[name], 1));
/** An ImageShape, and its sides alone. */
export const image = rule(
  '{ height, width, channels }, whole numbers ≥ 1',
  (value) => hasCounts(value, ['height', 'width', 'channels']),
  'pass the size of the images',
);
export const sides = rule(
  '{ height, width }, whole numbers ≥ 1',
  (value) => hasCounts(value, ['height', 'width']),
  'pass the size of the images',
);
/** Numbers in an array of any kind; what they are is not looked at. */
export const array = rule(
  'an array of numbers',
  (value) => Array.isArray(value) || (ArrayBuffer.isView(value) && 'length' in value),
  'pass one',
);
export const path = rule(
  'a path',
  (value) => typeof value === 'string' && value !== '' && !value.includes('\0'),
  'pass the path as a text',
);
/** For what is checked, with better words, where it is used. */
export const anything = rule('anything', () => true);

export const word = (...words: readonly string[]): Rule =>
  rule(
    `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`,
    (value) => typeof value === 'string' && words.includes(value),
    'pass one of these words',
  );

/** What is one of a class. @param what with its article: 'a Bijection' */
export const one = (what: string, type: () => abstract new (...rest: never[]) => object): Rule =>
  rule(what, (value) => value instanceof type(), 'make one with new');

/**
 * Throws unless `options` is an object with the options that the rules name and no others. An option that is undefined is as
 * if it was left out; `kind` is not an option but what stands beside them in a model file.
 *
 * @returns the options
 * @throws FlowError ARGUMENT, DTYPE
 */
export function checkOptions<O extends object>(where: string, options: O, rules: Rules<O>): O {
  const names = Object.keys(rules);
  const given: unknown = options;
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    const some = names.slice(0, 3).join(', ');
    throw argument(
      where,
      'options',
      'an object',
      described(given),
      `pass { ${some}${names.length > 3 ? ', …' : ''} }`,
    );
  }
  for (const name of Object.keys(given)) {
    if (name === 'kind' || Object.hasOwn(rules, name)) continue;
    if ((given as Record<string, unknown>)[name] === undefined) continue;
    const remedy = `${nearest(name, names)}the options are ${names.join(', ')}`;
    throw argument(where, name, 'no option of this name', 'one', remedy);
  }
  for (const name of names) {
    const rule = rules[name as keyof O] as Rule;
    const value = (given as Record<string, unknown>)[name];
    if (value === undefined && !rule.required) continue;
    if (rule.takes(value)) continue;
    if (rule === dtype && typeof value === 'string') checkDType(where, value);
    throw argument(where, name, rule.words, described(value), rule.remedy ?? 'correct the option');
  }
  return options;
}

/** Of the options, those that the rules name: what is passed on to what takes only them. */
export function picked<O extends object, R extends object>(
  options: O,
  rules: Rules<R>,
): Pick<O, keyof O & keyof R> {
  const own = Object.entries(options).filter(([name]) => Object.hasOwn(rules, name));
  return Object.fromEntries(own) as Pick<O, keyof O & keyof R>;
}

/** As {@link checkOptions}, of one argument that is no option. */
export function checkArgument(where: string, what: string, value: unknown, rule: Rule): void {
  if (rule.takes(value)) return;
  throw argument(where, what, rule.words, described(value), rule.remedy ?? 'correct the argument');
}

function argument(where: string, what: string, expectation: string, got: string, remedy: string) {
  return new FlowError('ARGUMENT', expected(where, what, expectation, got, remedy));
}

/** 'did you mean hidden? ', or nothing where no name is near. */
function nearest(name: string, names: readonly string[]): string {
  let best = '';
  let least = Math.max(1, Math.floor(name.length / 3)) + 1;
  for (const other of names) {
    const distance = edits(name.toLowerCase(), other.toLowerCase());
    if (distance < least) [best, least] = [other, distance];
  }
  return best && `did you mean ${best}? `;
}

/** Levenshtein's distance. */
function edits(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(swap, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
