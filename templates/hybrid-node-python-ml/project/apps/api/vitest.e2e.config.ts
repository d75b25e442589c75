import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/e2e/**/*.e2e.ts'],
    // Each file starts processes; side by side they would only slow each other down.
    fileParallelism: false,
    // A hang ends here; on a busy machine the service takes long to start.
    hookTimeout: 600_000,
    testTimeout: 600_000,
    expect: { poll: { timeout: 60_000 } },
  },
});
