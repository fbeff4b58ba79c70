/** Runs commands in this process and listens to what they write. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { runCommand } from '../../lib/cli/run';

export interface Heard {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

function listen(): Writable & { text(): string } {
  const pieces: string[] = [];
  const stream = new Writable({
    decodeStrings: false,
    write(piece: string | Buffer, _encoding, done) {
      pieces.push(String(piece));
      done();
    },
  });
  return Object.assign(stream, { text: () => pieces.join('') });
}

/** Runs `flow-kernels` with these words. */
export async function flowKernels(...words: string[]): Promise<Heard> {
  const [stdout, stderr] = [listen(), listen()];
  const status = await runCommand(words, { stdout, stderr });
  return { status, stdout: stdout.text(), stderr: stderr.text() };
}

/** A folder of its own for a test file, and what removes it. */
export function workFolder(): { at(...names: string[]): string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'flow-cli-'));
  return {
    at: (...names) => join(folder, ...names),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Numbers in [0, 1) that are the same everywhere: minimal standard of Park and Miller (1988). */
export function uniforms(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
}

/** Standard normal numbers by Box and Muller. */
export function normals(seed: number): () => number {
  const uniform = uniforms(seed);
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}

/**
 * A bent Gaussian: x ~ N(3, 2²), y | x ~ N((x − 3)²/4 − 10, ½²), and a label. Its entropy is known:
 * ½ log(2πe·4) + ½ log(2πe/4).
 */
export function writeBanana(path: string, rows: number, seed = 7): void {
  const normal = normals(seed);
  const lines = ['x,y,label'];
  for (let row = 0; row < rows; row++) {
    const z = normal();
    const x = 3 + 2 * z;
    const y = z * z - 10 + 0.5 * normal();
    lines.push(`${x.toFixed(6)},${y.toFixed(6)},${row % 3}`);
  }
  writeFileSync(path, `${lines.join('\n')}\n`);
}

export const bananaEntropy =
  0.5 * Math.log(2 * Math.PI * Math.E * 4) + 0.5 * Math.log((2 * Math.PI * Math.E) / 4);
