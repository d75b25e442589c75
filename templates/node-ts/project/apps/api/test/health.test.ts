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

it('tells of dependencies that are down or frozen, and stays ready', async () => {
  const dependent = await startApp({ database: test.database });
  dependent.app.dependencies.clear();
  expect((await dependent.app.inject('/readyz')).json()).not.toHaveProperty('dependencies');
  dependent.app.dependencies
    .set('well', async () => true)
    .set('ill', async () => false)
    .set('broken', () => Promise.reject(new Error('no answer')))
    .set('frozen', () => new Promise(() => undefined));
  const started = performance.now();
  const response = await dependent.app.inject('/readyz');
  expect(performance.now() - started).toBeLessThan(1_500);
  expect(response.statusCode).toBe(200);
  expect(response.json()).toMatchObject({
    status: 'ready',
    dependencies: { well: 'up', ill: 'down', broken: 'down', frozen: 'down' },
  });
  await dependent.app.close();
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

it('is not ready while migrations are pending, and names them', async () => {
  await test.database.db.execute(
    sql`delete from drizzle.__drizzle_migrations where id = (select max(id) from drizzle.__drizzle_migrations)`,
  );
  const response = await test.app.inject({ url: '/readyz' });
  expect(response.statusCode).toBe(503);
  expect(response.json()).toMatchObject({
    status: 'unavailable',
    pendingMigrations: migrationNames().slice(-1),
  });
});

it('is alive but not ready without its database', async () => {
  const lonely = await startApp({ database: unreachableDatabase() });
  expect((await lonely.app.inject({ url: '/livez' })).statusCode).toBe(200);
  const response = await lonely.app.inject({ url: '/readyz' });
  expect(response.statusCode).toBe(503);
  expect(response.json()).toMatchObject({ status: 'unavailable', database: 'down' });
  await lonely.close();
});
