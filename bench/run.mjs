// npm run -s bench -- [--json] [--peers] [--threads N] [--seconds S] [case…]
//
// Prints one line a case: {"case","ms","threads",…} with --json, a table row without. A case may be named in full
// (maf:step) or by its beginning (maf). With --peers the PyTorch scripts of bench/peers run as child processes,
// interleaved with ours in short turns, where python3 (or $PYTHON) can import torch; without torch that is said once on stderr.
import { parseArgs } from 'node:util';
import flow from '../dist/index.js';
import { allCases, chosenCases } from './cases/all.mjs';
import { measure } from './measure.mjs';
import { startPeers, torchVersion } from './peers.mjs';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    peers: { type: 'boolean', default: false },
    threads: { type: 'string', default: '2' },
    seconds: { type: 'string', default: '3' },
    list: { type: 'boolean', default: false },
  },
});

const threads = Number(options.threads);
flow.setThreads(threads);

if (options.list) {
  for (const { name } of allCases) console.log(name);
  process.exit(0);
}
const chosen = chosenCases(positionals);

const torch = options.peers ? torchVersion() : null;
if (options.peers && torch === null)
  console.error(
    'no peers: python3 cannot import torch (bench/peers/README.md says how to install it)',
  );

function print(line) {
  if (options.json) console.log(JSON.stringify(line));
  else
    console.log(
      Object.entries(line)
        .map(
          ([key, value]) =>
            `${key} ${typeof value === 'number' ? Number(value.toPrecision(4)) : value}`,
        )
        .join('  '),
    );
}

for (const one of chosen) {
  const count = one.threads ?? threads;
  flow.setThreads(count);
  const peers = torch && one.peer ? await startPeers(one.peer, count) : [];
  try {
    const result = await measure(one, peers, Number(options.seconds));
    const { ours, theirs } = result;
    print({
      case: one.name,
      ms: ours.median,
      min: ours.min,
      runs: ours.runs,
      threads: count,
      ...one.rates?.(ours.median, result),
    });
    for (const { peer, time } of theirs) {
      print({
        case: one.name,
        peer: `${peer} (torch ${torch})`,
        ms: time.median,
        ratio: time.median / ours.median,
      });
    }
  } finally {
    for (const peer of peers) peer.quit();
    one.dispose?.();
  }
}
