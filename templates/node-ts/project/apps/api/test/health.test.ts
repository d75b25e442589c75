import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startApp, type TestApp } from './support/app.ts';
import { migrationNames, unreachableDatabase } from './support/database.ts';

let test: TestApp;
beforeAll(async () => {
  test = await startApp();
});
afterAll(() => test.close());

it('is alive and ready', async () => {
  expect((await test.app.inject({ url: '/livez' })).json()).toEqual({ status: 'alive' });
  const ready = await test.app.inject({ url: '/readyz' });
  expect(ready.statusCode).toBe(200);
  expect(ready.json()).toMatchObject({ status: 'ready', database: 'up', pendingMigrations: [] });
});

it('tells of dependencies that are down, frozen or too late for a probe, and stays ready', async () => {
  const dependent = await startApp({ database: test.database });
  dependent.app.dependencies.clear();
  expect((await dependent.app.inject('/readyz')).json()).not.toHaveProperty('dependencies');
  dependent.app.dependencies
    .set('well', async () => true)
    .set('ill', async () => false)
    .set('broken', () => Promise.reject(new Error('no answer')))
    .set('frozen', () => new Promise(() => undefined))
    .set('late', () => sleep(1_500, true, { ref: false }));
  const response = await dependent.app.inject('/readyz');
  expect(response.statusCode).toBe(200);
  expect(response.json()).toMatchObject({
    status: 'ready',
    dependencies: { well: 'up', ill: 'down', broken: 'down', frozen: 'down', late: 'down' },
  });
  await dependent.app.close();
});

it('asks the database once for all who want to know at a time', async () => {
  let asked = 0;
  const db = new Proxy(test.database.db, {
    get(target, name) {
      if (name === 'execute') asked += 1;
      return Reflect.get(target, name, target);
    },
  });
  const popular = await startApp({ database: { ...test.database, db } });
  asked = 0;
  expect((await popular.app.inject('/readyz')).statusCode).toBe(200);
  const once = asked;
  expect(once).toBeGreaterThan(0);
  const all = await Promise.all(Array.from({ length: 20 }, () => popular.app.inject('/readyz')));
  expect(all.every(({ statusCode }) => statusCode === 200)).toBe(true);
  // One more where the machine was so busy that a second has passed.
  expect(asked).toBeLessThanOrEqual(2 * once);
  await popular.app.close();
});

it('is not ready while draining', async () => {
  const draining = await startApp({ database: test.database });
  draining.app.draining = true;
  const response = await draining.app.inject({ url: '/readyz' });
  expect(response.statusCode).toBe(503);
  expect(response.json()).toMatchObject({ status: 'draining', database: 'up' });
  expect(response.headers.connection).toBe('close');
  await draining.app.close();
});

it('is ready on the database of a newer release, which it may have to take the place of', async () => {
  await test.database.db.execute(
    sql`insert into drizzle.__drizzle_migrations (hash, created_at) values ('newer', 9999999999999)`,
  );
  const former = await startApp({ database: test.database });
  expect((await former.app.inject('/readyz')).statusCode).toBe(200);
  await former.app.close();
  await test.database.db.execute(
    sql`delete from drizzle.__drizzle_migrations where hash = 'newer'`,
  );
});

it('is not ready while migrations are pending, and names them', async () => {
  await test.database.db.execute(
    sql`delete from drizzle.__drizzle_migrations where id = (select max(id) from drizzle.__drizzle_migrations)`,
  );
  const fresh = await startApp({ database: test.database });
  const response = await fresh.app.inject({ url: '/readyz' });
  expect(response.statusCode).toBe(503);
  expect(response.json()).toMatchObject({
    status: 'unavailable',
    pendingMigrations: migrationNames().slice(-1),
  });
  await fresh.app.close();
});

it('is alive but not ready without its database', async () => {
  const lonely = await startApp({ database: unreachableDatabase() });
  expect((await lonely.app.inject({ url: '/livez' })).statusCode).toBe(200);
  const response = await lonely.app.inject({ url: '/readyz' });
  expect(response.statusCode).toBe(503);
  expect(response.json()).toMatchObject({ status: 'unavailable', database: 'down' });
  await lonely.close();
});
