import { defineConfig } from 'drizzle-kit';

export default defineConfig({
  dialect: 'postgresql',
  schema: './src/modules/billing/table.ts',
  out: './src/modules/billing/drizzle',
});
