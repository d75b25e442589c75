import { defineConfig } from 'drizzle-kit';

export default defineConfig({
  dialect: 'postgresql',
  schema: './src/idempotency/table.ts',
  out: './src/idempotency/drizzle',
});
