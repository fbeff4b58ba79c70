import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Packs and installs the package: `npm run test:package`.
    exclude: ['test/package/**', '**/node_modules/**'],
    // One process a file: a crash of native code is then blamed on its file, and each file has its own engine.
    pool: 'forks',
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
