// The PyTorch scripts as child processes: see peers/peer.py for the protocol.
import { spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const python = process.env.PYTHON ?? 'python3';
const script = fileURLToPath(new URL('./peers/peer.py', import.meta.url));

/** The version of a Python package, or null. */
function versionOf(name) {
  const probe = spawnSync(python, ['-c', `import ${name}; print(${name}.__version__)`], {
    encoding: 'utf8',
  });
  return probe.status === 0 ? probe.stdout.trim() : null;
}

export const torchVersion = () => versionOf('torch');

const known = new Map();
function isThere(library) {
  if (!known.has(library)) known.set(library, versionOf(library) !== null);
  return known.get(library);
}

async function startPeer(name, variant, threads, device) {
  const child = spawn(
    python,
    [
      ...[script, '--case', name, '--variant', variant],
      ...['--threads', String(threads), '--device', device],
    ],
    {
      stdio: ['pipe', 'pipe', 'ignore'],
    },
  );
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const first = await lines.next();
  if (first.done || first.value !== 'ready') {
    child.kill();
    return null;
  }
  return {
    name: variant,
    async run(repetitions) {
      child.stdin.write(`run ${repetitions}\n`);
      const { value, done } = await lines.next();
      if (done) throw new Error(`peer ${name} (${variant}) ended`);
      return JSON.parse(value);
    },
    quit() {
      child.stdin.end('quit\n');
    },
  };
}

/** The variants of a case that start: eager, torch.compile where it works, and the libraries that have the flow and are there. */
export async function startPeers(
  { name, variants = ['eager', 'compile'], libraries = [] },
  threads,
  device = 'cpu',
) {
  const started = [];
  for (const variant of [...variants, ...libraries.filter(isThere)]) {
    const peer = await startPeer(name, variant, threads, device);
    if (peer) started.push(peer);
    else console.error(`no peer ${name} ${variant}: it did not start`);
  }
  return started;
}
