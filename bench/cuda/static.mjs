// What can be said of the kernels without a GPU: what ptxas made of them (docs/cuda-kernels.md, written by npm run cuda:report -- --write),
// and, where the host emulation is built (npm run test:cuda builds it), launches of a training step and bytes over the floor.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const emulation = `${root}build/emulation/flow_kernels_cuda.so`;

/** Lines of the table of ptxas: registers an architecture, static shared memory, stack and spills. */
function* ptxas() {
  const rows = readFileSync(`${root}docs/cuda-kernels.md`, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    );
  const [names = [], , ...ops] = rows;
  for (const cells of ops)
    yield Object.fromEntries(
      names.map((name, k) => [name.startsWith('sm_') ? `registers ${name}` : name, cells[k]]),
    );
}

export async function reportStatically(print) {
  for (const line of ptxas()) print(line);
  if (!existsSync(emulation)) {
    console.error('no launches and bytes: "npm run test:cuda" builds the host emulation');
    return;
  }
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [fileURLToPath(new URL('./counted.mjs', import.meta.url))],
    { encoding: 'utf8', env: { ...process.env, FLOW_KERNELS_CUDA: emulation } },
  );
  for (const line of stdout.split('\n').filter(Boolean)) print(JSON.parse(line));
  if (status !== 0) throw new Error(`the emulation could not be counted:\n${stderr}`);
}
