import { readFileSync } from 'node:fs';
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { organizations } from '../../src/auth/schema.ts';
import type { Database } from '../../src/db/database.ts';
import { withTenant } from '../../src/db/tenant.ts';
import { search } from '../../src/modules/search/ranking.ts';
import { copyDatabase } from '../support/database.ts';

const QUESTION = [1, 0, 0, 0];
/** Of each, and how far away from the question. */
const CROWDS = Array.from({ length: 50 }, (_, n) => ({ id: `crowd-${n}`, size: 40, away: 0.01 }));
const SMALL = { id: 'small', size: 3, away: 5 };

/** The statements of docs/search.md, for the vectors of this test. */
const page = readFileSync(new URL('../../../../docs/search.md', import.meta.url), 'utf8');
const [createIndex = '', ...scan] = [...page.matchAll(/```sql\n(.*?)```/gs)]
  .flatMap(([, block = '']) => block.split(';'))
  .map((statement) =>
    statement
      .trim()
      .replaceAll('64', '4')
      .replace('NAME VERSION', 'fake 1')
      .replace('$1', `'${JSON.stringify(QUESTION)}'`),
  )
  .filter((statement) => statement !== '');
const select = scan.at(-1) ?? '';
const settings = scan.slice(0, -1);

let database: Database;

/** Every other organization's documents are nearer to the question. */
beforeAll(async () => {
  database = await copyDatabase();
  for (const { id, size, away } of [...CROWDS, SMALL]) {
    await database.db.insert(organizations).values({ id, name: id, slug: id });
    await withTenant(database, id, (tx) =>
      tx.execute(sql`
        with made as (
          insert into search_documents (title, text, status, encoder)
          select 'Vehicle ' || n, 'A vehicle.', 'ready', 'fake 1 4'
          from generate_series(1, ${size}::int) n returning id
        )
        insert into search_passages (document_id, place, text, encoder, embedding)
        select id, 0, 'A vehicle.', 'fake 1 4', array[1, ${away}::float8 * random(), ${away}::float8, 0]::vector
        from made`),
    );
  }
  await database.db.execute(sql.raw(createIndex));
});
afterAll(() => database.close());

/** How many passages the small organization finds by the index, under these settings. */
function found(...under: readonly string[]): Promise<number> {
  return withTenant(database, SMALL.id, async (tx) => {
    // With so few rows PostgreSQL would rather sort them all.
    for (const each of ['SET LOCAL enable_sort = off', ...under]) await tx.execute(sql.raw(each));
    const plan = await tx.execute(sql.raw(`explain ${select}`));
    expect(JSON.stringify(plan.rows)).toContain('Index Scan using search_passages_nearest');
    return (await tx.execute(sql.raw(select))).rows.length;
  });
}

/** So little that not all rows fit into it. */
const LITTLE_MEMORY = "SET LOCAL work_mem = '64kB'";

test('with an index and its iterative scan a small organization among fifty finds all of its own documents', async () => {
  expect(settings).toHaveLength(3);
  expect(await found(...settings, LITTLE_MEMORY)).toBe(SMALL.size);
});

test('without any of the settings it would find none', async () => {
  const [goOn = '', rows = '', memory = ''] = settings;
  expect(await found()).toBe(0);
  expect(await found(rows, memory)).toBe(0);
  expect(await found(goOn, rows.replace(/\d+/, '100'), memory)).toBe(0);
  expect(await found(goOn, rows, LITTLE_MEMORY)).toBe(0);
});

test('a search looks at all that an organization has, whatever index there is', async () => {
  const question = { encoder: 'fake 1 4', vectors: [QUESTION] };
  const { items } = await withTenant(database, SMALL.id, (tx) =>
    search(tx, { q: 'automobile', limit: 10 }, question),
  );
  expect(items).toHaveLength(SMALL.size);
});
