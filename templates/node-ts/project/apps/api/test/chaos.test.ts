import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { loadConfig } from '../src/config.ts';
import type { Database } from '../src/db/database.ts';
import { isUnavailable } from '../src/db/errors.ts';
import { openDatabase } from '../src/db/open.ts';
import { type Client, ORIGIN, signUpOwner, startApp, type TestApp } from './support/app.ts';
import { copyPostgres } from './support/database.ts';
import { DatabaseProxy } from './support/database-proxy.ts';
import { noteModule } from './support/notes.ts';
import { ServerProcess } from './support/process.ts';

const template = inject('template');
const CONNECTIONS = 4;
const LIMITS = {
  DATABASE_POOL_MAX: String(CONNECTIONS),
  DATABASE_STATEMENT_TIMEOUT_MS: '1000',
  DATABASE_ANSWER_TIMEOUT_MS: '2000',
  DATABASE_CONNECT_TIMEOUT_MS: '2000',
};

// What happens to a database on a network cannot happen to the embedded one.
describe.runIf('server' in template)('when PostgreSQL', () => {
  let proxy: DatabaseProxy;
  let database: Database;
  let drop: () => Promise<void>;
  let test: TestApp;
  let client: Client;
  let path: string;

  beforeAll(async () => {
    const copy = await copyPostgres();
    drop = copy.drop;
    proxy = new DatabaseProxy(copy.url);
    const url = await proxy.start();
    database = await openDatabase(loadConfig({ ...LIMITS, DATABASE_URL: url }));
    test = await startApp({ database, env: LIMITS, extraModules: [noteModule] });
    client = (await signUpOwner(test.app, 'steady')).client;
    path = '/api/v1/organizations/steady/test-notes';
  });
  beforeEach(async () => {
    proxy.open();
    proxy.cutAt(undefined);
    await recovered();
  });
  afterAll(async () => {
    proxy.open();
    await test.close();
    await proxy.stop();
    await drop();
  });

  /** More requests at once than there are connections, all answered: the pool is whole. */
  async function recovered(): Promise<void> {
    const attempts = 20;
    for (let attempt = 1; ; attempt += 1) {
      const statuses = await Promise.all(Array.from({ length: 2 * CONNECTIONS }, list));
      if (statuses.every((status) => status === 200)) return;
      if (attempt === attempts) expect(statuses).toEqual(statuses.map(() => 200));
      await sleep(200);
    }
  }

  const list = async () => (await client.get(path)).statusCode;

  async function expectUnavailable(): Promise<void> {
    const response = await client.get(path);
    expect(response.statusCode, response.body).toBe(503);
    expect(response.json()).toMatchObject({ code: 'database_unavailable' });
    expect(Number(response.headers['retry-after'])).toBeGreaterThan(0);
  }

  it.each([
    ['BEGIN', /\bbegin\b/i],
    ['the first statement of a transaction', /set_config/],
    ['a statement inside', /from "test_notes"/],
    ['COMMIT', /\bcommit\b/i],
  ])('goes away at %s, the request gets 503 and the connection is replaced', async (_at, text) => {
    const before = proxy.cuts;
    proxy.cutAt(text);
    // As often as would use up the pool if each lost a connection, and once more.
    for (let time = 0; time <= CONNECTIONS; time += 1) await expectUnavailable();
    expect(database.inUse(), 'connections that did not come back').toBe(0);
    expect(proxy.cuts - before).toBeGreaterThan(CONNECTIONS);
    proxy.cutAt(undefined);
    await recovered();
    expect(database.waiting()).toBe(0);
  });

  it('refuses connections, requests get 503 until it is back', async () => {
    proxy.refuse();
    await expectUnavailable();
    expect((await test.app.inject('/livez')).statusCode).toBe(200);
    expect((await test.app.inject('/readyz')).json()).toMatchObject({ database: 'down' });
    proxy.open();
    await recovered();
    // It keeps what the database has said for a second.
    const readiness = async () => (await test.app.inject('/readyz')).statusCode;
    await expect.poll(readiness, { timeout: 60_000 }).toBe(200);
  });

  it('is frozen, nobody waits for ever, and all is well when it thaws', async () => {
    proxy.freeze();
    const answers: number[] = [];
    const asked = Array.from({ length: 3 * CONNECTIONS }, async () => {
      answers.push(await list());
    });
    await expect.poll(() => answers).toEqual(asked.map(() => 503));
    expect((await test.app.inject('/livez')).statusCode).toBe(200);
    proxy.open();
    await recovered();
  });

  it('is frozen behind a pooler that takes no limits, nobody waits for ever either', async () => {
    const env = { ...LIMITS, DATABASE_STATEMENT_TIMEOUT_MS: '0' };
    const url = proxy.address();
    const pooled = await openDatabase(loadConfig({ ...env, DATABASE_URL: url }));
    await pooled.db.execute(sql`select 1`);
    proxy.freeze();
    const asked = pooled.db.execute(sql`select 1`).catch((error: unknown) => error);
    expect(isUnavailable(await asked)).toBe(true);
    proxy.open();
    await pooled.close();
  });

  it('is frozen at BEGIN, no later statement runs in that transaction', async () => {
    proxy.freeze();
    const begun = database.db.transaction(async () => undefined);
    expect(isUnavailable(await begun.catch((error: unknown) => error))).toBe(true);
    proxy.open();
    for (let time = 0; time < 2 * CONNECTIONS; time += 1) {
      const { rows } = await database.db.execute<{ alone: boolean }>(
        sql`select xact_start = statement_timestamp() as alone from pg_stat_activity where pid = pg_backend_pid()`,
      );
      expect(rows).toEqual([{ alone: true }]);
    }
  });

  it('takes too long for a statement or a lock, the request gets 503 and others go on', async () => {
    const holder = await openDatabase(loadConfig({ DATABASE_URL: (await direct()).url }));
    try {
      await holder.db.transaction(async (tx) => {
        await tx.execute(sql`lock table test_notes in access exclusive mode`);
        const response = await client.get(path);
        expect(response.statusCode, response.body).toBe(503);
        expect(response.json()).toMatchObject({ code: 'database_busy' });
        expect((await client.get('/api/auth/get-session')).statusCode).toBe(200);
      });
    } finally {
      await holder.close();
    }
  });

  /** How many processes hear of live events. */
  async function listeners(): Promise<number> {
    const { rows } = await database.db.execute(sql`select pid from pg_stat_activity
      where datname = current_database() and state = 'idle' and query = 'listen live_events'`);
    return rows.length;
  }

  async function direct(): Promise<{ url: string }> {
    const { rows } = await database.db.execute<{ name: string }>(
      sql`select current_database() as name`,
    );
    if (!('server' in template)) throw new Error('there is no server');
    const url = new URL(template.server);
    url.pathname = rows[0]?.name ?? '';
    return { url: url.href };
  }

  describe('stops a server under load', () => {
    let server: ServerProcess;
    let port: number;

    beforeAll(async () => {
      const { url } = await direct();
      server = new ServerProcess('test/support/notes-server.ts', {
        ...LIMITS,
        DATABASE_URL: url,
        RATE_LIMIT_MAX: '100000',
      });
      port = (await server.address()).port;
    });
    afterAll(() => server.kill());

    it('whose connections are terminated, it lives and answers 200 or 503', async () => {
      const seen = new Map<number | string, number>();
      let running = true;
      const clients = Array.from({ length: 20 }, async () => {
        while (running && !server.ended) {
          const answer = await request(port, path, client.cookie).catch(String);
          seen.set(answer, (seen.get(answer) ?? 0) + 1);
        }
      });
      for (let round = 0; round < 5; round += 1) {
        const before = seen.get(200) ?? 0;
        while ((seen.get(200) ?? 0) < before + 20 && !server.ended) await sleep(5);
        await database.db.execute(sql`select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and pid <> pg_backend_pid()`);
      }
      running = false;
      await Promise.all(clients);
      expect(server.ended, `the server has ended: ${server.output.slice(-2000)}`).toBe(false);
      expect([...seen.keys()].filter((answer) => answer !== 200 && answer !== 503)).toEqual([]);
      expect(await request(port, path, client.cookie)).toBe(200);
    });

    it('whose database goes away and comes back, it loses nothing that it has acknowledged', async () => {
      const own = new DatabaseProxy((await direct()).url);
      const writing = new ServerProcess('test/support/job-server.ts', {
        ...LIMITS,
        DATABASE_URL: await own.start(),
        CORS_ORIGINS: ORIGIN,
        RATE_LIMIT_MAX: '100000',
      });
      const acknowledged = { notes: [] as string[], work: [] as string[] };
      const statuses: number[] = [];
      const others = () => statuses.filter((status) => status === 503).length;
      let running = true;
      let last = 0;
      try {
        const { port } = await writing.address();
        const clients = Array.from({ length: 2 * CONNECTIONS }, async () => {
          while (running) {
            last += 1;
            const name = String(last);
            const note = await request(port, path, client.cookie, { name });
            if (note === 201) acknowledged.notes.push(name);
            const work = await request(port, `/work/${name}`, client.cookie, {});
            if (work === 202) acknowledged.work.push(name);
            statuses.push(note, work);
          }
        });
        const away = [() => own.refuse(), () => own.cutAt(/\bcommit\b/i), () => own.cutAll()];
        for (const goes of away) {
          const before = acknowledged.notes.length;
          while (acknowledged.notes.length < before + 20 && !writing.ended) await sleep(5);
          const refused = others();
          goes();
          // However many there are: who is told 201 in vain is found below.
          const most = statuses.length + 200;
          while (others() < refused + CONNECTIONS / 2 && statuses.length < most && !writing.ended)
            await sleep(5);
          own.cutAt(undefined);
          own.open();
        }
        running = false;
        await Promise.all(clients);
        expect(statuses.filter((status) => ![201, 202, 503].includes(status))).toEqual([]);
        await recovered();
        const { items } = (await client.get(path)).json<{ items: { name: string }[] }>();
        const kept = new Set(items.map(({ name }) => name));
        expect(acknowledged.notes.filter((name) => !kept.has(name))).toEqual([]);
        for (const number of acknowledged.work) {
          await writing.waitFor(new RegExp(`work ${number} ended`));
        }
      } finally {
        running = false;
        await writing.kill();
        await own.stop();
      }
    });

    it('that is told to stop while nothing comes from the database, it ends', async () => {
      const own = new DatabaseProxy((await direct()).url);
      const url = await own.start();
      const stopping = new ServerProcess('test/support/notes-server.ts', {
        ...LIMITS,
        DATABASE_URL: url,
        SHUTDOWN_TIMEOUT_MS: '5000',
        LOG_LEVEL: 'debug',
      });
      try {
        const address = await stopping.address();
        expect(await request(address.port, path, client.cookie)).toBe(200);
        own.freeze();
        const waiting = `${path}?limit=7`;
        const pending = request(address.port, waiting, client.cookie).catch(() => 'cut off');
        await stopping.waitFor(/limit=.*incoming request/);
        stopping.child.kill('SIGTERM');
        expect([503, 'cut off']).toContain(await pending);
        expect(await stopping.exit()).toBe(0);
      } finally {
        await stopping.kill();
        await own.stop();
      }
    });

    it('that is told to stop in the middle of a job ends, though the database never answers', async () => {
      const own = new DatabaseProxy((await direct()).url);
      const stopping = new ServerProcess('test/support/job-server.ts', {
        ...LIMITS,
        DATABASE_URL: await own.start(),
        CORS_ORIGINS: ORIGIN,
        DATABASE_STATEMENT_TIMEOUT_MS: '0',
        DATABASE_ANSWER_TIMEOUT_MS: '60000',
        // Half of it is the job's, longer than Fastify gives a plugin by itself.
        SHUTDOWN_TIMEOUT_MS: '21000',
        HANG: 'true',
      });
      try {
        const address = await stopping.address();
        expect(await request(address.port, '/work/1', client.cookie, {})).toBe(202);
        await stopping.waitFor(/work 1 begun/);
        own.freeze();
        stopping.child.kill('SIGTERM');
        expect(await stopping.exit()).toBe(0);
      } finally {
        await stopping.kill();
        await own.stop();
      }
    });

    it('that is told to stop while it cannot hear of events ends', async () => {
      const own = new DatabaseProxy((await direct()).url);
      const stopping = new ServerProcess('test/support/notes-server.ts', {
        ...LIMITS,
        DATABASE_URL: await own.start(),
        DATABASE_CONNECT_TIMEOUT_MS: '60000',
        SHUTDOWN_TIMEOUT_MS: '8000',
      });
      try {
        const { url } = await stopping.address();
        const stream = await fetch(`${url}/api/v1/organizations/steady/events`, {
          headers: { cookie: client.cookie },
        });
        expect(stream.status).toBe(200);
        await expect.poll(listeners, { timeout: 60_000 }).toBe(1);
        own.freeze();
        own.cutAll();
        // The other one where the server had not read yet that it listens.
        await stopping.waitFor(/hears of live events was lost|live events cannot be heard of yet/);
        await sleep(1_000);
        stopping.child.kill('SIGTERM');
        expect(await stopping.exit()).toBe(0);
        await stream.body?.cancel();
      } finally {
        await stopping.kill();
        await own.stop();
      }
    });

    it('whose clients hang up, it keeps its connections', async () => {
      for (let time = 0; time < 5 * CONNECTIONS; time += 1) {
        const socket = connect(port, '127.0.0.1');
        await once(socket, 'connect');
        socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\ncookie: ${client.cookie}\r\n\r\n`);
        socket.destroy();
        await once(socket, 'close');
      }
      const statuses = await Promise.all(
        Array.from({ length: 2 * CONNECTIONS }, () => request(port, path, client.cookie)),
      );
      expect(new Set(statuses)).toEqual(new Set([200]));
    });
  });
});

/** A POST where it has a body. */
async function request(port: number, path: string, cookie: string, body?: object): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    headers: { cookie, ...(body && { origin: ORIGIN, 'content-type': 'application/json' }) },
    ...(body && { method: 'POST', body: JSON.stringify(body) }),
  });
  await response.arrayBuffer();
  return response.status;
}
