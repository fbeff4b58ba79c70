// Adds up vitest's JSON reports in a folder and prints "N passed, M failed" as the last line.
//
//   node scripts/count-tests.mjs FOLDER

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = process.argv[2];
let [passed, failed, skipped] = [0, 0, 0];
let good = true;
const files = readdirSync(folder).filter((name) => name.endsWith('.json'));
for (const file of files) {
  const report = JSON.parse(readFileSync(join(folder, file), 'utf8'));
  passed += report.numPassedTests;
  failed += report.numFailedTests;
  skipped += report.numPendingTests + report.numTodoTests;
  // A file that could not be loaded has no failed tests, but the run was no success.
  good &&= report.success;
}
process.stdout.write(`${files.length} runs of vitest, ${skipped} tests skipped\n`);
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exitCode = good && failed === 0 && passed > 0 ? 0 : 1;
