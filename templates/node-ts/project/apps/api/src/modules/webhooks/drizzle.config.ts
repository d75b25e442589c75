import { defineConfig } from 'drizzle-kit';

// From apps/api: npx drizzle-kit generate --config src/modules/webhooks/drizzle.config.ts --name what_changes
export default defineConfig({
  dialect: 'postgresql',
  schema: './src/modules/webhooks/table.ts',
  out: './src/modules/webhooks/drizzle',
});
