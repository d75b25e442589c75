import { defineConfig } from 'drizzle-kit';

export default defineConfig({
  dialect: 'postgresql',
  schema: './src/modules/jobs/table.ts',
  out: './src/modules/jobs/drizzle',
});
