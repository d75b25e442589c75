import { randomUUID } from 'node:crypto';
import { DrizzleQueryError, sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { describeError } from '../src/http/error-lines.ts';
import { currentLog, libraryLog } from '../src/http/logging.ts';
import { defineModule } from '../src/module.ts';
import { Client, PASSWORD, signUpOwner, startApp, type TestApp } from './support/app.ts';
import { READ_NOTES } from './support/notes.ts';

const SECRET = 'x7-session-token-x7';
const LINES = `first line\n    at forged (/srv/${SECRET}.ts:1:1)`;

const pathOf = (name: string) => `/fail/${name.replaceAll(' ', '-')}`;

/** What must not get into any line, and where the database or a handler puts it. */
const failing = defineModule({
  name: 'failing',
  register(app, { database, requires }) {
    const { db } = database;
    const fails: Record<string, () => Promise<unknown>> = {
      'a statement': () => db.execute(sql`select ${SECRET}::text, 1 / 0`),
      'a value that cannot be read': () => db.execute(sql`select ${SECRET}::uuid`),
      'a part of it': () => db.execute(sql`select ${`{"a": ${SECRET}}`}::jsonb`),
      'several lines': () => db.execute(sql`select ${LINES}::uuid`),
      'a value with NUL': () => db.execute(sql`select ${`${SECRET}\0`}::text`),
      'a unique value': async () => {
        const insert = sql`insert into users (id, name, email) values (${randomUUID()}, ${SECRET}, ${`${SECRET}@example.com`})`;
        await db.execute(insert);
        await db.execute(insert);
      },
      'a message that repeats it': () =>
        db.execute(sql`select ${SECRET}::uuid`).catch((cause) => {
          throw new Error(`could not save ${SECRET}`, { cause });
        }),
      'one of several': () =>
        db.execute(sql`select ${SECRET}::uuid`).catch((error) => {
          throw new AggregateError([error, new Error('another')], `tried ${SECRET}`);
        }),
    };
    for (const [name, fail] of Object.entries(fails)) {
      app.get(pathOf(name), fail);
    }
    app.get('/fail/other-fields', async (request) => {
      const error = await db.execute(sql`select ${SECRET}::uuid`).catch((reason) => reason);
      request.log.error(error);
      request.log.error({ err: error });
      request.log.error({ reason: error }, 'under another name');
      return {};
    });
    app.get('/known', { preParsing: requires(READ_NOTES) }, async () => {
      throw new Error('nobody expected it');
    });
    const report = libraryLog('a library', app.log);
    app.post('/library', async () => {
      report('error', 'Error', new Error('its own', { cause: new Error('the cause') }));
      report('error', 'Invalid password');
      report('error', '', Object.assign(new Error('no such user'), { statusCode: 404 }));
      report('warn', new Error('only an error'));
      return {};
    });
    app.get('/breaks-off', async (_request, reply) => {
      reply.hijack();
      reply.raw.write('a beginning');
      reply.raw.destroy(await db.execute(sql`select ${SECRET}::uuid`).catch((reason) => reason));
    });
    app.post('/current', async () => {
      await new Promise((resolve) => setImmediate(resolve));
      currentLog(app.log).info('from far away');
      return {};
    });
  },
});

let test: TestApp;
let owner: { client: Client; organizationId: string };
beforeAll(async () => {
  test = await startApp({ extraModules: [failing] });
  owner = await signUpOwner(test.app, 'logger');
});
afterAll(() => test.close());

const linesOf = (id: unknown) => test.logs.filter(({ reqId }) => reqId === id);

describe('a log line of a database error', () => {
  it.each([
    ['a statement', /^Failed query: select \$1::text, 1 \/ 0$/, '22012'],
    ['a value that cannot be read', /^Failed query/, '22P02'],
    ['a part of it', /^Failed query/, '22P02'],
    ['several lines', /^Failed query/, '22P02'],
    ['a value with NUL', /^Failed query/, '22021'],
    ['a unique value', /^Failed query: insert into users/, '23505'],
    ['a message that repeats it', /^could not save \[value\]$/, '22P02'],
    ['one of several', /^tried \[value\]$/, undefined],
  ])('holds cause, code and stack but no value: %s', async (name, message, code) => {
    const response = await test.app.inject(pathOf(name));
    expect(response.statusCode).toBe(500);
    const lines = linesOf(response.headers['x-request-id']);
    expect(JSON.stringify(lines)).not.toContain(SECRET);
    const err = lines.find(({ level }) => level === 50)?.err as ReturnType<typeof describeError>;
    expect(err.message).toMatch(message);
    expect(err.stack).toMatch(/^at .*\.(ts|js)/);
    const all = [err, err.cause, err.cause?.cause];
    expect(all.find((each) => each?.code)?.code).toBe(code);
  });

  it('holds no value whatever the error is logged as', async () => {
    const { headers } = await test.app.inject('/fail/other-fields');
    const lines = linesOf(headers['x-request-id']).filter(({ level }) => level === 50);
    expect(lines).toHaveLength(3);
    expect(JSON.stringify(lines)).not.toContain(SECRET);
    expect(lines.every((line) => JSON.stringify(line).includes('22P02'))).toBe(true);
  });
});

describe('a described error', () => {
  const query = (...params: unknown[]) =>
    new DrizzleQueryError('select $1', params, new Error(`was given ${params.join(' and ')}`));

  it.each([
    ['of any type', ['Bob', 7, 12n, new Date(0)], '[value] and [value] and [value] and [value]'],
    ['that begin alike', ['abcd', 'abcdef'], '[value] and [value]'],
    [
      'that mean something else in patterns',
      ['a.*b', '$&', '('],
      '[value] and [value] and [value]',
    ],
    ['in lists', [['in', 'lists'], null, true, ''], '[value],[value] and  and true and '],
  ])('has no values %s', (_name, params, values) => {
    const message = `was given ${values}`;
    expect(describeError(query(...params)).cause?.message).toBe(message);
  });

  it('leaves words whole that a short value is part of', () => {
    const error = new DrizzleQueryError('select $1', ['a'], new Error('a table'));
    expect(describeError(error).cause?.message).toBe('[value] table');
  });

  it('keeps the words of the statement itself', () => {
    const error = new DrizzleQueryError('insert into "notes"', ['note'], new Error('note'));
    expect(describeError(error)).toMatchObject({
      message: 'Failed query: insert into "notes"',
      cause: { message: '[value]' },
    });
  });

  it.each([
    ['a text', { type: 'string', message: 'a text' }],
    [undefined, { type: 'undefined' }],
    [{ token: SECRET }, { type: 'object' }],
  ])('may be no error: %j', (thrown, line) => {
    expect(describeError(thrown)).toMatchObject(line);
    expect(JSON.stringify(describeError(thrown))).not.toContain(SECRET);
  });

  it('is told where a library hands on a copy of its fields', () => {
    const error = query(SECRET);
    const copy = { ...error, message: error.message, stack: error.stack, queue: 'letters' };
    expect(describeError(copy)).toMatchObject({
      message: 'Failed query: select $1\nparams: [value]',
      stack: expect.stringMatching(/^at /),
    });
    expect(JSON.stringify(describeError(copy))).not.toContain(SECRET);
  });

  it('ends, even where an error is its own cause', () => {
    const error = new Error('round');
    error.cause = new AggregateError([error], 'and round');
    expect(describeError(error)).toMatchObject({
      message: 'round',
      cause: { message: 'and round', errors: [{ message: 'told above' }] },
    });
  });
});

describe('every line of a request', () => {
  it('names the user and the organization once they are known', async () => {
    const { organizationId } = owner;
    const response = await owner.client.get('/known');
    const lines = linesOf(response.headers['x-request-id']);
    expect(lines.map(({ msg }) => msg)).toEqual(['request failed', 'request completed']);
    for (const line of lines)
      expect(line).toMatchObject({ organizationId, userId: expect.any(String) });
  });

  it('is one, where nothing goes wrong: what was asked for and what came of it', async () => {
    const response = await test.app.inject('/nowhere?search=customer');
    expect(linesOf(response.headers['x-request-id'])).toMatchObject([
      {
        level: 30,
        msg: 'request completed',
        req: { method: 'GET', url: '/nowhere?search=[redacted]', ip: '127.0.0.1' },
        res: { statusCode: 404 },
        responseTime: expect.any(Number),
      },
    ]);
  });

  it('says why an answer broke off that had begun', async () => {
    const asked = test.app.inject({ url: '/breaks-off', headers: { 'x-request-id': 'broken' } });
    await expect(asked).rejects.toThrow();
    const lines = linesOf('broken');
    expect(lines).toMatchObject([
      {
        level: 50,
        msg: 'request errored',
        req: { url: '/breaks-off' },
        err: { type: 'DrizzleQueryError', cause: { code: '22P02' } },
      },
    ]);
    expect(JSON.stringify(lines)).not.toContain(SECRET);
  });

  it('has its id, also where a library writes it, and the level that it deserves', async () => {
    const response = await test.app.inject({ method: 'POST', url: '/library', payload: { a: 1 } });
    const lines = linesOf(response.headers['x-request-id']).filter(({ from }) => from);
    expect(lines).toMatchObject([
      { level: 50, msg: 'Error', err: { message: 'its own', cause: { message: 'the cause' } } },
      { level: 40, msg: 'Invalid password' },
      { level: 40, err: { message: 'no such user' } },
      { level: 40, err: { message: 'only an error' } },
    ]);
  });

  it('has its id behind a body that came in parts', async () => {
    const response = await test.app.inject({ method: 'POST', url: '/current', payload: { a: 1 } });
    expect(linesOf(response.headers['x-request-id']).map(({ msg }) => msg)).toContain(
      'from far away',
    );
  });
});

describe('accounts', () => {
  it('log what fails in them with cause, stack and request id, and no value', async () => {
    const printed = vi.spyOn(console, 'error');
    await test.database.db.execute(sql`alter table sessions rename to sessions_away`);
    const response = await owner.client.post('/api/auth/sign-in/email', {
      email: 'logger@example.com',
      password: 'correct horse battery staple',
    });
    await test.database.db.execute(sql`alter table sessions_away rename to sessions`);
    expect(response.statusCode).toBe(500);
    const lines = linesOf(response.headers['x-request-id']).filter(({ level }) => level === 50);
    expect(lines[0]).toMatchObject({
      err: { stack: expect.any(String), cause: { code: '42P01' } },
    });
    expect(JSON.stringify(test.logs)).not.toContain('params:');
    expect(printed).not.toHaveBeenCalled();
    printed.mockRestore();
  });

  it('name the user whose session it is', async () => {
    await test.database.db.execute(sql`alter table invitations rename to invitations_away`);
    const response = await owner.client.get('/api/auth/organization/list-invitations');
    await test.database.db.execute(sql`alter table invitations_away rename to invitations`);
    expect(response.statusCode).toBe(500);
    const lines = linesOf(response.headers['x-request-id']);
    const completed = lines.find(({ msg }) => msg === 'request completed');
    const failed = lines.find(({ msg }) => msg === 'request failed');
    for (const line of [failed, completed]) {
      expect(line).toMatchObject({ userId: expect.any(String) });
    }
  });

  it('of one address that are made at once are one, conflicts, and no error of ours', async () => {
    const before = test.logs.length;
    const body = { name: 'Twin', email: 'twin@example.com', password: PASSWORD };
    const { app } = test;
    const responses = await Promise.all(
      [1, 2, 3].map(() => new Client(app).post('/api/auth/sign-up/email', body)),
    );
    const statuses = responses.map(({ statusCode }) => statusCode).toSorted();
    expect(statuses[0]).toBe(200);
    // The embedded database makes one after the other.
    for (const status of statuses.slice(1)) expect([409, 422]).toContain(status);
    expect(test.logs.slice(before).filter(({ level }) => Number(level) >= 50)).toEqual([]);
  });

  it('that meet in the database alone are a conflict, too', async () => {
    const run = (text: string) => test.database.db.execute(sql.raw(text));
    await run(`
      create function address_comes_first() returns trigger language plpgsql as $$ begin
        raise exception 'there already' using errcode = '23505';
      end $$`);
    await run(`create trigger address_comes_first before insert on users
      for each row execute function address_comes_first()`);
    const body = { name: 'Late', email: 'late@example.com', password: PASSWORD };
    const response = await new Client(test.app).post('/api/auth/sign-up/email', body);
    await run('drop trigger address_comes_first on users');
    expect([response.statusCode, response.json().code]).toEqual([409, 'already_exists']);
    const levels = linesOf(response.headers['x-request-id']).map(({ level }) => Number(level));
    expect(Math.max(...levels)).toBeLessThan(50);
  });

  it('know no provider that is not configured', async () => {
    const response = await test.app.inject('/api/auth/callback/google?state=x');
    expect([response.statusCode, response.json().code]).toEqual([404, 'not_found']);
    const levels = linesOf(response.headers['x-request-id']).map(({ level }) => Number(level));
    expect(Math.max(...levels)).toBeLessThan(50);
  });

  it('log a mistake of a caller below the level of errors', async () => {
    const { headers, statusCode } = await owner.client.post('/api/auth/sign-in/email', {
      email: 'logger@example.com',
      password: 'not the right one at all',
    });
    expect(statusCode).toBe(401);
    const levels = linesOf(headers['x-request-id']).map(({ level }) => Number(level));
    expect(Math.max(...levels)).toBeLessThan(50);
  });
});
