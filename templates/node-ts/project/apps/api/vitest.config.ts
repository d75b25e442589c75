import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    // A loaded machine takes long to copy an embedded database.
    hookTimeout: 60_000,
    testTimeout: 30_000,
  },
});
