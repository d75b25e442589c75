import { defineConfig } from 'drizzle-kit';

// From apps/api: npx drizzle-kit generate --config src/modules/live/drizzle.config.ts --name what_changes
export default defineConfig({
  dialect: 'postgresql',
  schema: './src/modules/live/table.ts',
  out: './src/modules/live/drizzle',
});
