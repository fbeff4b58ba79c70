/** The digest of what a safetensors file says. */
import { createHash } from 'node:crypto';
import { littleEndianBytes, type NumericArray } from './bytes';

/** The key of the metadata that holds the digest of the content. */
export const DIGEST_KEY = 'flow_kernels.sha256';

/** One update of a hash takes less than 2 GiB. */
const PIECE = 2 ** 30;

interface DigestTensor {
  dtype: string;
  shape: readonly number[];
  data: NumericArray;
}

/**
 * SHA-256 of everything that a safetensors file says: names, types, shapes, metadata and data.
 *
 * It is taken of the content and not of the file's bytes: a tool that writes the same tensors in
 * another order, or with other white space in the header, leaves it valid.
 *
 * @returns 64 hexadecimal digits
 */
export function contentDigest(
  tensors: ReadonlyMap<string, DigestTensor>,
  metadata: Readonly<Record<string, string>>,
): string {
  const names = [...tensors.keys()].sort();
  const keys = Object.keys(metadata)
    .filter((key) => key !== DIGEST_KEY)
    .sort();
  const description = JSON.stringify([
    names.map((name) => [name, tensors.get(name)!.dtype, tensors.get(name)!.shape]),
    keys.map((key) => [key, metadata[key]]),
  ]);
  const hash = createHash('sha256').update(description, 'utf8').update('\n');
  for (const name of names) {
    const bytes = littleEndianBytes(tensors.get(name)!.data);
    for (let at = 0; at < bytes.byteLength; at += PIECE)
      hash.update(bytes.subarray(at, at + PIECE));
  }
  return hash.digest('hex');
}
