/** Shapes of tensors and images, and sizes that are asked for. */
import { expected, FlowError } from './errors';

/**
 * Shapes. Whatever its rank, a tensor is to a kernel a matrix of rows × channels: the last axis are the channels
 * (columns), all others together the rows. A vector [C] is one row.
 */
export type Shape = readonly number[];

/** Throws SHAPE unless the value is a list of whole numbers from 0. */
export function checkShape(where: string, value: unknown): asserts value is Shape {
  if (Array.isArray(value) && value.every((extent) => Number.isSafeInteger(extent) && extent >= 0))
    return;
  const got = Array.isArray(value) ? `[${value.join(', ')}]` : typeof value;
  throw new FlowError(
    'SHAPE',
    expected(where, 'shape', 'a list of whole numbers from 0', got, 'pass one, as in [3, 2]'),
  );
}

export function sizeOf(shape: Shape): number {
  let size = 1;
  for (const extent of shape) size *= extent;
  return size;
}

export function colsOf(shape: Shape): number {
  return shape.length === 0 ? 1 : (shape[shape.length - 1] as number);
}

export function rowsOf(shape: Shape): number {
  let rows = 1;
  for (let i = 0; i < shape.length - 1; i++) rows *= shape[i] as number;
  return rows;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((extent, i) => extent === b[i]);
}

export function formatShape(shape: Shape): string {
  return `[${shape.join(', ')}]`;
}

/** @throws FlowError ARGUMENT unless it, a number of columns, layers, draws, is whole and at least 1 */
export function requireSize(
  where: string,
  what: string,
  size: number,
  remedy = 'correct the option',
): void {
  if (Number.isSafeInteger(size) && size >= 1) return;
  throw new FlowError(
    'ARGUMENT',
    expected(where, what, 'a whole number ≥ 1', String(size), remedy),
  );
}

/** {@link requireSize} of each by its name. */
export function requireSizes(
  where: string,
  sizes: Readonly<Record<string, number>>,
  remedy?: string,
): void {
  for (const [what, size] of Object.entries(sizes)) requireSize(where, what, size, remedy);
}

/** How the columns of an image row lie: [height, width, channels], channels last. */
export interface ImageShape {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}
