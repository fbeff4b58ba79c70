import { defineConfig } from 'vitest/config';

// CI counts the tests in the JSON reports that it finds in this folder.
const report = process.env.FLOW_TEST_REPORT;

export default defineConfig({
  test: {
    include: ['test/package/**/*.test.ts'],
    // Needs GNU nm and ELF objects.
    exclude: process.platform === 'linux' ? [] : ['test/package/isaSymbols.test.ts'],
    pool: 'forks',
    // The tests build, pack and install: minutes on a slow machine.
    testTimeout: 300_000,
    hookTimeout: 900_000,
    fileParallelism: false,
    reporters: report ? ['default', 'json'] : ['default'],
    outputFile: { json: `${report}/${process.pid}.json` },
  },
});
