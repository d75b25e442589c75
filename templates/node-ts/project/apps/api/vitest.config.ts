import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    // Files share their worker's modules, which hold no state; loading them is half of the time.
    isolate: false,
    // A loaded machine takes long to copy an embedded database.
    hookTimeout: 60_000,
    testTimeout: 30_000,
  },
});
