import { defineConfig } from 'vitest/config';

// CI counts the tests in the JSON reports that it finds in this folder.
const report = process.env.FLOW_TEST_REPORT;

// The Node that runs the test files, where it is another than Vitest's own: scripts/test-arm64.mjs.
if (process.env.FLOW_TEST_NODE) process.execPath = process.env.FLOW_TEST_NODE;

export default defineConfig({
  test: {
    setupFiles: ['test/device.setup.ts'],
    include: ['test/**/*.test.ts'],
    // Packs and installs the package: `npm run test:package`; CUDA in emulation: `npm run test:cuda`.
    exclude: [
      'test/package/**',
      ...(process.env.FLOW_KERNELS_CUDA ? [] : ['test/cuda/**']),
      '**/node_modules/**',
    ],
    // One process a file: a crash of native code is then blamed on its file, and each file has its own engine.
    pool: 'forks',
    // Fresh native memory is NaN: an output that a kernel does not write shows.
    env: { FLOW_KERNELS_POISON: '1' },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: report ? ['default', 'json'] : ['default'],
    outputFile: { json: `${report}/${process.pid}.json` },
  },
});
