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
  expect(ready.json()).toEqual({ status: 'ready', database: 'up', pendingMigrations: [] });
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
