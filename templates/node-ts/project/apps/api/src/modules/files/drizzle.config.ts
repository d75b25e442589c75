import { defineConfig } from 'drizzle-kit';

export default defineConfig({
  dialect: 'postgresql',
  schema: './src/modules/files/table.ts',
  out: './src/modules/files/drizzle',
});
