/**
 * The one error class of the library: a code to branch on and a sentence to read.
 *
 * The sentence always has the same form, `[where] what: expected X, got Y: remedy`, so that a
 * user sees the place, the thing, the difference and what to do about it. Build it with
 * {@link expected}.
 */

/** What went wrong, as a word that a program can branch on. The sentence may change, this may not. */
export type FlowErrorCode =
  /** A tensor or table has the wrong number of rows, columns or axes. */
  | 'SHAPE'
  /** A value has the wrong element type. */
  | 'DTYPE'
  /** A tensor is on the wrong device, or the device is not there. */
  | 'DEVICE'
  /** A tensor was used after it was freed. */
  | 'DISPOSED'
  /** The content of a data file is bad: the sentence names the file, the row and the column. */
  | 'DATA'
  /** A file could not be opened, read or written. */
  | 'FILE'
  /** A file is not what it claims to be: truncated, damaged, hostile, or of another version. */
  | 'FORMAT'
  /** A computation gave a NaN, an infinity, or did not converge. */
  | 'NUMERIC'
  /** A function was called with a value that it cannot take. */
  | 'ARGUMENT'
  /** The native library could not be loaded, or failed. */
  | 'NATIVE'
  /** The caller's AbortSignal stopped the work. */
  | 'ABORTED'
  /** What was asked for is well formed, and this version cannot do it. */
  | 'UNSUPPORTED';

/** Every error that the library throws on purpose. */
export class FlowError extends Error {
  override readonly name = 'FlowError';
  /** What went wrong, to branch on. */
  readonly code: FlowErrorCode;

  /**
   * @param code what went wrong, to branch on
   * @param message the sentence; see {@link expected}
   * @param options `cause`: the error that led to this one
   */
  constructor(code: FlowErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/**
 * The sentence of an error: `[where] what: expected X, got Y: remedy`.
 *
 * @example
 * throw new FlowError('SHAPE', expected('affineCoupling', 'scale', 'shape [N, D] = [32, 3]',
 *   '[32, 4]', 'the conditioner must return 2·D columns'));
 */
export function expected(
  where: string,
  what: string,
  expectation: string,
  got: string,
  remedy: string,
): string {
  return `[${where}] ${what}: expected ${expectation}, got ${got}: ${remedy}`;
}

/** Where a sentence goes that a user should know and that stops nothing. */
export type Warn = (message: string) => void;

/** Where warnings go when nobody asked for them: to Node's own, printed on standard error. */
export const emitWarning: Warn = (message) => process.emitWarning(message, 'FlowWarning');

/** Whether `error` is a {@link FlowError}, of the given code if one is given. */
export function isFlowError(error: unknown, code?: FlowErrorCode): error is FlowError {
  return error instanceof FlowError && (code === undefined || error.code === code);
}
