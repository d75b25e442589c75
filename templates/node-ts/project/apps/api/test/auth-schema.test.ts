import { getSchema } from 'better-auth/db';
import { getTableColumns } from 'drizzle-orm';
import { getTableConfig, type PgTable } from 'drizzle-orm/pg-core';
import { describe, expect, it } from 'vitest';
import { createAttempts } from '../src/auth/attempts.ts';
import { createAuth } from '../src/auth/better-auth.ts';
import * as schema from '../src/auth/schema.ts';
import { loadConfig } from '../src/config.ts';
import { unreachableDatabase } from './support/database.ts';

const tables: Record<string, PgTable> = {
  user: schema.users,
  session: schema.sessions,
  account: schema.accounts,
  verification: schema.verifications,
  organization: schema.organizations,
  member: schema.members,
  invitation: schema.invitations,
};
const TYPES: Record<string, string> = { string: 'string', boolean: 'boolean', date: 'date' };

const database = unreachableDatabase();
const auth = createAuth({
  config: loadConfig({}),
  database,
  attempts: createAttempts(database),
  postbox: { post: async () => undefined },
  // biome-ignore lint/suspicious/noExplicitAny: nothing is logged while the options are read
  log: {} as any,
});
const expected = getSchema(auth.options);

describe('our tables hold what better-auth expects', () => {
  it('knows all of its models', () => {
    expect(Object.keys(expected).toSorted()).toEqual(Object.keys(tables).toSorted());
  });

  it.each(Object.keys(tables))('%s', (model) => {
    const table = tables[model] as PgTable;
    const columns = getTableColumns(table);
    const fields = Object.entries(expected[model]?.fields ?? {});
    const actual = fields.map(([name]) => [name, columns[name]?.dataType, columns[name]?.notNull]);
    const wanted = fields.map(([name, field]) => [
      name,
      TYPES[String(field.type)],
      field.required === true,
    ]);
    expect(actual).toEqual(wanted);

    const unique = fields.filter(([, field]) => field.unique).map(([name]) => name);
    expect(unique.filter((name) => !columns[name]?.isUnique)).toEqual([]);
    const referring = fields.filter(([, field]) => field.references).length;
    expect(getTableConfig(table).foreignKeys).toHaveLength(referring);
  });
});
