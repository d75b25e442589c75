import { eq, sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { organizations } from '../../src/auth/schema.ts';
import type { Database } from '../../src/db/database.ts';
import { withTenant } from '../../src/db/tenant.ts';
import { search } from '../../src/modules/search/ranking.ts';
import { findWork, listDocuments, pendingDocuments } from '../../src/modules/search/repository.ts';
import { documents } from '../../src/modules/search/table.ts';
import { copyDatabase } from '../support/database.ts';

const MANY = 2_500;
let database: Database;

/** One organization has very many documents, and another one three. */
beforeAll(async () => {
  database = await copyDatabase();
  for (const [id, size] of [
    ['large', MANY],
    ['small', 3],
  ] as const) {
    await database.db.insert(organizations).values({ id, name: id, slug: id });
    await withTenant(database, id, (tx) =>
      tx.execute(sql`
        insert into search_documents (title, text, status, encoder)
        select 'Vehicle ' || n, 'A vehicle.', case when n > 2000 then 'pending' else 'ready' end, 'old 1 4'
        from generate_series(1, ${size}::int) n`),
    );
  }
  await database.db.execute(sql`analyze search_documents`);
});
afterAll(() => database.close());

test("no request reads through other organizations' documents", async () => {
  const read = await withTenant(database, 'small', async (tx) => {
    const { items } = await listDocuments(tx, { limit: 20 });
    const found = await search(tx, { q: 'vehicle', limit: 10 }, undefined);
    expect([items, found.items, found.byWordsOnly]).toMatchObject([
      { length: 3 },
      { length: 3 },
      3,
    ]);
    await pendingDocuments(tx, 16);
    const { rows } = await tx.execute<{ rows: number }>(sql`
      select (seq_tup_read + idx_tup_fetch)::int as rows
      from pg_stat_xact_user_tables where relname = 'search_documents'`);
    return rows[0]?.rows;
  });
  expect(read).toBeGreaterThan(0);
  expect(read).toBeLessThan(100);
});

test("another version's documents are set back a thousand at a time", async () => {
  await database.db.execute(sql`
    create function refuse_many() returns trigger language plpgsql as $$
    begin
      if (select count(*) from changed) > 1000 then raise 'too many at once'; end if;
      return null;
    end $$`);
  await database.db.execute(sql`
    create trigger refuse_many after update on search_documents
    referencing new table as changed for each statement execute function refuse_many()`);
  const { signal } = new AbortController();
  const organizationIds = await findWork(database, 'new 1 4', signal);
  expect(organizationIds.toSorted()).toEqual(['large', 'small']);
  const pending = await withTenant(database, 'large', (tx) =>
    tx.$count(documents, eq(documents.status, 'pending')),
  );
  expect(pending).toBe(MANY);
});
