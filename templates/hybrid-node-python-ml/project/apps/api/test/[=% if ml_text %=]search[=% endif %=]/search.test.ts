import type { DocumentSummary, SearchResults } from '@app/contracts';
import { PGlite } from '@electric-sql/pglite';
import { type SQL, sql } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createPGlite, embedded } from '../../src/db/embedded.ts';
import { migrate } from '../../src/db/migrations.ts';
import { withTenant } from '../../src/db/tenant.ts';
import { findUnembedded } from '../../src/modules/search/jobs.ts';
import { documents, passages } from '../../src/modules/search/table.ts';
import { enqueue } from '../../src/queue/job.ts';
import { type Client, signUpOwner, startApp, type TestApp } from '../support/app.ts';
import { FakeEncoder } from './fake-encoder.ts';

const PATIENT_MS = '30000';
const QUOTA = 100;

const service = new FakeEncoder();
let running: TestApp;
let owner: Client;
let path: string;
let organizationId: string;
let count = 0;

beforeAll(async () => {
  await service.start();
  running = await startApp({
    env: {
      ML_URL: service.url,
      ML_ATTEMPT_TIMEOUT_MS: PATIENT_MS,
      ML_TOTAL_TIMEOUT_MS: PATIENT_MS,
      ML_BREAKER_FAILURES: '1000',
      ML_MONTHLY_PREDICTIONS: `${QUOTA}`,
    },
  });
  await running.app.jobs.start();
  // It would run in the middle of any test: they say when.
  await running.database.db.execute(sql`
    delete from queue.schedule where name = ${findUnembedded.name}`);
});
afterAll(async () => {
  await service.kill();
  await running.close();
});
/** Each test has an organization of its own, and a model that is well. */
beforeEach(async () => {
  Object.assign(service, { version: '1', width: 4, refuses: undefined, stumbles: undefined });
  count += 1;
  ({ client: owner, path, organizationId } = await signUpOwner(running.app, `searching-${count}`));
});

async function add(title: string, text: string): Promise<DocumentSummary> {
  const response = await owner.post(`${path}/documents`, { title, text });
  expect(response.statusCode, response.body).toBe(201);
  return response.json();
}

async function find(q: string, more = ''): Promise<SearchResults> {
  const response = await owner.get(`${path}/search?q=${encodeURIComponent(q)}${more}`);
  expect(response.statusCode, response.body).toBe(200);
  return response.json();
}

async function statuses(): Promise<string[]> {
  const { items } = (await owner.get(`${path}/documents?limit=100`)).json();
  return items.map(({ status }: DocumentSummary) => status).toSorted();
}

/** Where attempts have failed, the next one comes after a pause that has doubled meanwhile. */
const settled = () => expect.poll(statuses, { timeout: 240_000 }).not.toContain('pending');
const titles = ({ items }: SearchResults) => items.map(({ title }) => title);
const lookForWork = () => enqueue(running.database.db, findUnembedded, {});

async function addThree(): Promise<void> {
  await add('Garage', 'Where an automobile is repaired.');
  await add('Payments', 'How reimbursement works.');
  await add('Canteen', 'What is for lunch today.');
}

test('a document is embedded in the background; it can be listed, read and deleted', async () => {
  const added = await add('Garage', 'Where an automobile is repaired.');
  expect(added).toMatchObject({ title: 'Garage', status: 'pending', problem: null });
  await settled();
  const read = await owner.get(`${path}/documents/${added.id}`);
  expect(read.json()).toEqual({
    ...added,
    status: 'ready',
    text: 'Where an automobile is repaired.',
  });
  expect((await owner.get(`${path}/documents?status=ready`)).json().items).toHaveLength(1);
  const stored = () => withTenant(running.database, organizationId, (tx) => tx.$count(passages));
  expect(await stored()).toBe(1);
  expect((await owner.send('DELETE', `${path}/documents/${added.id}`)).statusCode).toBe(204);
  expect((await owner.get(`${path}/documents/${added.id}`)).statusCode).toBe(404);
  expect((await owner.send('DELETE', `${path}/documents/${added.id}`)).statusCode).toBe(404);
  expect(await stored()).toBe(0);
});

test('the same request, sent twice with one key, adds one document', async () => {
  const options = {
    payload: { title: 'Once', text: 'Only once.' },
    headers: { 'idempotency-key': 'once' },
  };
  const first = await owner.send('POST', `${path}/documents`, options);
  const again = await owner.send('POST', `${path}/documents`, options);
  expect(again.json()).toEqual(first.json());
  expect(await statuses()).toHaveLength(1);
});

test('a question finds what means the same, and the words that it shares', async () => {
  await addThree();
  await settled();
  const byMeaning = await find('vehicle');
  expect(byMeaning).toMatchObject({ rankedBy: 'meaning_and_words', byWordsOnly: 0 });
  expect(byMeaning.items[0]).toMatchObject({
    title: 'Garage',
    passage: 'Garage\n\nWhere an automobile is repaired.',
  });
  // None of these words means anything to the model.
  expect(titles(await find('repaired'))[0]).toBe('Garage');
  expect(titles(await find('how does it work'))[0]).toBe('Payments');
  expect(titles(await find('vehicle', '&limit=1'))).toHaveLength(1);
});

test('what both rankings name comes before what only one does', async () => {
  await add('Meaning', 'An automobile.');
  await add('Both', 'A vehicle is a vehicle.');
  await add('Words', 'One vehicle, soup, lunch, money, refund.');
  await settled();
  expect(titles(await find('vehicle'))).toEqual(['Both', 'Words', 'Meaning']);
});

test('the passage of a long document is the one that fits', async () => {
  const filler = 'Nothing in particular is said here. '.repeat(100);
  await add('Handbook', `${filler}\n\nEach automobile has a number.\n\n${filler}`);
  await settled();
  const [item] = (await find('vehicle')).items;
  expect(item?.passage).toContain('Each automobile has a number.');
  expect(item?.passage.length).toBeLessThanOrEqual(1_500);
});

test('a small organization among fifty finds all of its own documents, and nothing of theirs', async () => {
  await addThree();
  await settled();
  const { database } = running;
  // Others' are all nearer to the question.
  for (let n = 0; n < 50; n += 1) {
    const id = `crowd-${count}-${n}`;
    await database.db.execute(sql`
      insert into organizations (id, name, slug, created_at) values (${id}, ${id}, ${id}, now())`);
    await withTenant(database, id, async (tx) => {
      const rows = await tx
        .insert(documents)
        .values(
          Array.from({ length: 40 }, (_, place) => ({
            title: `Vehicle ${place}`,
            text: 'Vehicle vehicle',
            status: 'ready' as const,
            encoder: 'fake 1 4',
          })),
        )
        .returning({ documentId: documents.id });
      await tx.insert(passages).values(
        rows.map(({ documentId }) => ({
          documentId,
          place: 0,
          text: 'vehicle',
          encoder: 'fake 1 4',
          embedding: [1, 0, 0, 0],
        })),
      );
    });
  }
  const found = await find('vehicle');
  expect(titles(found).toSorted()).toEqual(['Canteen', 'Garage', 'Payments']);
  expect(titles(found)[0]).toBe('Garage');
  // Other tests have all of it embedded again.
  await database.db.execute(sql`delete from organizations where id like 'crowd-%'`);
});

test("another organization's documents are not there", async () => {
  const { id } = await add('Secret', 'Known to one vehicle.');
  await settled();
  const other = await signUpOwner(running.app, `other-${count}`);
  for (const method of ['GET', 'DELETE'] as const) {
    const response = await other.client.send(method, `${other.path}/documents/${id}`);
    expect(response.json()).toMatchObject({ status: 404, code: 'document_not_found' });
  }
  const results = await other.client.get(`${other.path}/search?q=vehicle`);
  expect(results.json()).toEqual({ items: [], rankedBy: 'meaning_and_words', byWordsOnly: 0 });
  expect(await statuses()).toEqual(['ready']);
});

describe('while the service is away', () => {
  beforeEach(() => service.kill());

  test('documents wait and words find them; they are embedded when it is back', async () => {
    await addThree();
    const found = await find('where is lunch');
    expect(found).toMatchObject({ rankedBy: 'words', byWordsOnly: 3 });
    expect(titles(found)).toEqual(['Canteen']);
    expect(found.items[0]).toMatchObject({
      status: 'pending',
      passage: 'What is for lunch today.',
    });
    expect(await statuses()).toEqual(['pending', 'pending', 'pending']);
    await service.start();
    await settled();
    expect(titles(await find('meal'))[0]).toBe('Canteen');
  });

  test('what looks for work is no dead letter, and later finds what was given up', async () => {
    await addThree();
    await lookForWork();
    const { db } = running.database;
    const waiting = sql`select from queue.job where name = 'search.find-unembedded' and state < 'completed'`;
    await expect.poll(async () => (await db.execute(waiting)).rows).toHaveLength(0);
    // As if the attempts of their own were over.
    await db.execute(sql`delete from queue.job where name = 'search.embed'`);
    const dead = sql`select from queue.job where name = 'dead-letters' and source_name like 'search.%'`;
    expect((await db.execute(dead)).rows).toHaveLength(0);
    await service.start();
    await lookForWork();
    await settled();
  });
});

test('a new version never meets the old one: what it has not embedded is found by words until it has', async () => {
  await addThree();
  await settled();
  Object.assign(service, { version: '2', width: 7 });
  await add('Bus', 'A large vehicle.');
  await settled();
  const between = await find('car');
  expect(titles(between)).toEqual(['Bus']);
  expect(between.byWordsOnly).toBe(3);
  expect(titles(await find('reimbursement'))).toContain('Payments');
  await lookForWork();
  const byWordsOnly = async () => (await find('car')).byWordsOnly;
  await expect.poll(byWordsOnly, { timeout: 240_000 }).toBe(0);
  expect(titles(await find('car'))).toHaveLength(4);
  const { rows } = await withTenant(running.database, organizationId, (tx) =>
    tx.execute(sql`select distinct encoder, vector_dims(embedding) as width from search_passages`),
  );
  expect(rows).toEqual([{ encoder: 'fake 2 7', width: 7 }]);
});

test('an answer whose vectors differ in width is not taken', async () => {
  const well = service.answer;
  service.answer = (response, { instances }) => {
    const predictions = instances.map((_, place) => ({ embedding: [1, ...Array(place).fill(0)] }));
    const model = { name: 'fake', version: 'torn' };
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ predictions, model }));
  };
  const long = 'word '.repeat(500);
  await add('Torn', long);
  await expect.poll(() => service.calls.at(-1)?.body).toMatchObject({ instances: { length: 3 } });
  expect(await statuses()).toEqual(['pending']);
  service.answer = well;
  await lookForWork();
  await settled();
});

test('a document that the service refuses fails with its reason, and stops no other', async () => {
  service.refuses = 'unspeakable';
  await addThree();
  const bad = await add('Bad', 'Something unspeakable.');
  const empty = await add('???', '!!!');
  await settled();
  expect(await statuses()).toEqual(['failed', 'failed', 'ready', 'ready', 'ready']);
  const problemOf = async ({ id }: DocumentSummary) =>
    (await owner.get(`${path}/documents/${id}`)).json().problem;
  expect(await problemOf(bad)).toBe('Not this one');
  expect(await problemOf(empty)).toBe('There is no word in it');
  expect(titles(await find('something unspeakably'))).toContain('Bad');
});

test('a document that is deleted while it is embedded fails no job', async () => {
  const well = service.answer;
  let release: (() => void) | undefined;
  service.answer = (...call) => {
    release = () => well(...call);
  };
  const { id } = await add('Gone', 'An automobile.');
  await expect.poll(() => release).toBeDefined();
  expect((await owner.send('DELETE', `${path}/documents/${id}`)).statusCode).toBe(204);
  service.answer = well;
  release?.();
  const jobs = async () => {
    const { rows } = await running.database.db.execute(sql`
      select state::text, retry_count as retries from queue.job
      where name = 'search.embed' and data::text like ${`%${organizationId}%`}`);
    return rows;
  };
  await expect.poll(jobs, { timeout: 240_000 }).toEqual([{ state: 'completed', retries: 0 }]);
});

describe('a document on which the service stumbles', () => {
  const inTable = async (query: SQL) =>
    (await withTenant(running.database, organizationId, (tx) => tx.execute(query))).rows;
  /** How many attempts were counted, of all documents. */
  const attempts = () =>
    inTable(sql`select distinct attempts, next_attempt_at is not null as again
      from search_documents order by attempts`);
  const inTime = { timeout: 240_000 };
  /** A run that has begun and ended since. */
  const looked = async () => {
    const id = await lookForWork();
    const states = async () => {
      const { rows } = await running.database.db.execute(sql`
        select state::text from queue.job where id = ${id}::uuid
        union all select state::text from queue.job where name = 'search.embed'`);
      return new Set(rows.map(({ state }) => state));
    };
    await expect.poll(states, inTime).toEqual(new Set(['completed']));
  };

  test.each(['failing', 'exceeding'] as const)(
    'by %s is given up in the end, and stops no other',
    async (by) => {
      service.stumbles = { on: 'unspeakable', by };
      // More than are looked at together, and older than the others.
      const bad = Array.from({ length: 17 }, (_, n) => `Bad ${n}`);
      for (const title of bad) await add(title, 'Something unspeakable.');
      await addThree();
      const ready = async () => (await statuses()).filter((status) => status === 'ready');
      await expect.poll(ready, inTime).toHaveLength(3);
      expect(titles(await find('vehicle'))[0]).toBe('Garage');
      for (let made = 1; made < 5; made += 1) {
        await looked();
        // Not before its time.
        expect(await attempts()).toEqual([
          { attempts: 0, again: false },
          { attempts: made, again: true },
        ]);
        expect(await statuses()).toEqual([...bad.map(() => 'pending'), 'ready', 'ready', 'ready']);
        await inTable(sql`update search_documents set next_attempt_at = now()
          where status = 'pending'`);
      }
      await looked();
      expect(await statuses()).toEqual([...bad.map(() => 'given_up'), 'ready', 'ready', 'ready']);
      const calls = service.calls.length;
      await looked();
      // That the service is well, and which version it serves.
      expect(service.calls).toHaveLength(calls + 1);
      const [first, ...others] = (await owner.get(`${path}/documents?status=given_up`)).json()
        .items;
      expect(first.problem).toBeTruthy();

      service.stumbles = undefined;
      const again = await owner.send('POST', `${path}/documents/${first.id}/retry`);
      expect(again.statusCode).toBe(202);
      expect(again.json()).toMatchObject({ id: first.id, status: 'pending', problem: null });
      await settled();
      expect(await ready()).toHaveLength(4);
      const unchanged = await owner.send('POST', `${path}/documents/${first.id}/retry`);
      expect(unchanged.json().status).toBe('ready');
      // Another version may do better.
      service.version = '2';
      await lookForWork();
      await expect.poll(ready, inTime).toHaveLength(others.length + 4);
      const { items } = (await owner.get(`${path}/documents?limit=100`)).json();
      expect(new Set(items.map(({ problem }: DocumentSummary) => problem))).toEqual(
        new Set([null]),
      );
    },
  );

  test('by ending keeps it from no other', async () => {
    service.stumbles = { on: 'unspeakable', by: 'dying' };
    await add('Bad', 'Something unspeakable.');
    await addThree();
    // One whose call is cut off by chance waits, too, until the schedule would look for work.
    let next = Date.now() + 60_000;
    const rest = async () => {
      if (Date.now() > next) {
        await lookForWork();
        next += 60_000;
      }
      return (await statuses()).filter((status) => status === 'ready');
    };
    await expect.poll(rest, inTime).toHaveLength(3);
    expect(await statuses()).toEqual(['pending', 'ready', 'ready', 'ready']);
    expect(await attempts()).toContainEqual({ attempts: expect.any(Number), again: true });
  });

  test('is told from a service that fails on everything, however often', async () => {
    service.stumbles = { on: '', by: 'failing' };
    await addThree();
    const begun = service.calls.length;
    await expect.poll(() => service.calls.length, inTime).toBeGreaterThan(begun + 8);
    expect(await attempts()).toEqual([{ attempts: 0, again: false }]);
    service.stumbles = undefined;
    await lookForWork();
    await settled();
    expect(await statuses()).toEqual(['ready', 'ready', 'ready']);
  });
});

test('where there is no document, the service is not asked', async () => {
  const idle = new FakeEncoder();
  await idle.start();
  const empty = await startApp({ env: { ML_URL: idle.url } });
  await enqueue(empty.database.db, findUnembedded, {});
  await empty.app.jobs.start();
  const job = sql`select distinct state::text from queue.job where name = ${findUnembedded.name}`;
  const states = async () => (await empty.database.db.execute(job)).rows;
  await expect.poll(states, { timeout: 240_000 }).toEqual([{ state: 'completed' }]);
  expect(idle.calls).toEqual([]);
  await empty.close();
  await idle.kill();
});

test('passages and searches count as predictions, up to the limit', async () => {
  const used = async () => (await owner.get(`${path}/predictions/usage`)).json().predictions;
  await add('Long', 'word '.repeat(500));
  await settled();
  expect(await used()).toBe(3);
  await find('vehicle');
  expect(await used()).toBe(4);
  await service.kill();
  await find('vehicle');
  expect(await used()).toBe(4);
  await service.start();
  const tooMuch = await owner.post(`${path}/documents`, {
    title: 'Huge',
    text: 'word '.repeat(19_900),
  });
  expect(tooMuch.json()).toMatchObject({ status: 429, code: 'prediction_quota_exceeded' });
  expect(await statuses()).toHaveLength(1);
});

describe('where pgvector is not there, one line says what to do', () => {
  const failureOf = async (client: PGlite) => {
    const database = embedded(client);
    const failure = migrate(database).then(
      () => 'none',
      (error: Error) => (error.cause as Error).message,
    );
    return failure.finally(() => database.close());
  };

  test('the server has to have it', async () => {
    expect(await failureOf(await PGlite.create())).toMatch(
      /^This PostgreSQL server has no pgvector, .* postgresql-\d+-pgvector .*$/,
    );
  });

  test('who migrates has to be allowed to add it', async () => {
    const client = await createPGlite();
    await client.exec(`create role app login createrole;
      alter schema public owner to app;
      grant create on database postgres to app;
      set session authorization app`);
    expect(await failureOf(client)).toMatch(
      /^Search needs pgvector in this database, and app may not .* CREATE EXTENSION vector .*$/,
    );
  });
});
