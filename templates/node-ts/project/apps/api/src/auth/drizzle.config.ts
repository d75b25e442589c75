import { defineConfig } from 'drizzle-kit';

// From apps/api: npx drizzle-kit generate --config src/auth/drizzle.config.ts --name what_changes
export default defineConfig({
  dialect: 'postgresql',
  schema: './src/auth/table.ts',
  out: './src/auth/drizzle',
});
