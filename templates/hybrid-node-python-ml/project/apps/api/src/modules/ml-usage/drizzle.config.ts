import { defineConfig } from 'drizzle-kit';

export default defineConfig({
  dialect: 'postgresql',
  schema: './src/modules/ml-usage/table.ts',
  out: './src/modules/ml-usage/drizzle',
});
