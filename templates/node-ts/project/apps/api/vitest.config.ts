import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    // Files share their worker's modules, which hold no state; loading them is half of the time.
    isolate: false,
    // A hang ends here; what a test waits for has limits of its own, which print what they saw. On a
    // loaded machine a server takes long to start, and an embedded database to copy.
    hookTimeout: 300_000,
    testTimeout: 300_000,
    // A second, which it would be else, is short on a busy machine.
    expect: { poll: { timeout: 60_000 } },
  },
});
