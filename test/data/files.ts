/** Files for the tests of readers. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { FlowError, type FlowErrorCode } from '../../lib/errors';

/** The folder of the committed files. */
export const FIXTURES = join(__dirname, 'fixtures');

/** A temporary folder for the tests of one file; gives a function that writes a file into it. */
export function temporaryFiles(): (name: string, content: string | Uint8Array) => string {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'data-'));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return (name, content) => {
    const path = join(folder, name);
    writeFileSync(path, content);
    return path;
  };
}

/** The FlowError that a promise ends with, of the given code. */
export async function failure(work: Promise<unknown>, code: FlowErrorCode): Promise<FlowError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof FlowError)) throw new Error('expected a FlowError', { cause: error });
  expect(error.code, error.message).toBe(code);
  return error;
}
