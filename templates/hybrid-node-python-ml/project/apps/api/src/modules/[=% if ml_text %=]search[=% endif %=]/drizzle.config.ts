import { defineConfig } from 'drizzle-kit';

export default defineConfig({
  dialect: 'postgresql',
  schema: './src/modules/search/table.ts',
  out: './src/modules/search/drizzle',
});
