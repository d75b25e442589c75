import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { FileLink, FilePage, StoredFile } from '@app/contracts';
import { eq, sql } from 'drizzle-orm';
import type { InjectOptions } from 'fastify';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { loadConfig } from '../src/config.ts';
import type { Transaction } from '../src/db/database.ts';
import { withTenant } from '../src/db/tenant.ts';
import { removeLeftovers } from '../src/modules/files/jobs.ts';
import { Links } from '../src/modules/files/links.ts';
import { openStorage } from '../src/modules/files/open-storage.ts';
import { beginFile } from '../src/modules/files/repository.ts';
import { fileLeftovers, files } from '../src/modules/files/table.ts';
import { modules } from '../src/modules/index.ts';
import { enqueue } from '../src/queue/job.ts';
import { askWith, makeKey } from './support/api-keys.ts';
import {
  addMember,
  type Client,
  ORIGIN,
  signUpOwner,
  startApp,
  type TestApp,
} from './support/app.ts';

const MOST = 100_000;
const PNG = Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex');
const TEXT = 'Grüße, 世界 – and more of it';

let test: TestApp;
let port: number;
let folder: string;
let red: Awaited<ReturnType<typeof signUpOwner>>;
let blue: Awaited<ReturnType<typeof signUpOwner>>;

beforeAll(async () => {
  test = await startApp({
    env: { FILES_MAX_BYTES: String(MOST), FILES_QUOTA_BYTES: String(3 * MOST) },
  });
  folder = test.filesDir;
  [red, blue] = [await signUpOwner(test.app, 'red'), await signUpOwner(test.app, 'blue')];
  port = Number(new URL(await test.app.listen({ host: '127.0.0.1', port: 0 })).port);
});
afterAll(() => test.close());

interface Upload {
  readonly name?: string;
  readonly type?: string;
  readonly payload?: InjectOptions['payload'];
  readonly headers?: Record<string, string>;
}

function upload(
  { client, path }: { client: Pick<Client, 'send'>; path: string },
  { name = 'a.txt', type = 'text/plain', payload = TEXT, headers = {} }: Upload = {},
) {
  return client.send('POST', `${path}/files?${new URLSearchParams({ name })}`, {
    payload,
    headers: { ...(type && { 'content-type': type }), ...headers },
  });
}

async function uploaded(owner: typeof red, what?: Upload): Promise<StoredFile> {
  const response = await upload(owner, what);
  expect(response.statusCode, response.body).toBe(201);
  return response.json();
}

const listed = async ({ client, path }: typeof red) =>
  (await client.get(`${path}/files`)).json<FilePage>().items;
const outcome = (response: { statusCode: number; json(): { code?: string } }) => [
  response.statusCode,
  response.json().code,
];

/** All rows, of files and of uploads that are not done. */
const rowsOf = ({ organizationId }: typeof red) =>
  withTenant(test.database, organizationId, (tx) => tx.select().from(files));
const onDisk = async () =>
  (await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []))
    .filter((entry) => entry.isFile())
    .map(({ name }) => name);
const everything = async () => [...(await rowsOf(red)).map(({ id }) => id), ...(await onDisk())];
const added = async (before: string[]) =>
  (await everything()).filter((each) => !before.includes(each));

/** A request written by hand, which ends where the text ends. */
async function begin(
  owner: typeof red,
  headers: string[],
  body: string,
  { at = port, to = `${owner.path}/files?name=raw.txt`, type = 'text/plain' } = {},
) {
  const socket = connect(at, '127.0.0.1');
  const lines = [
    `POST ${to} HTTP/1.1`,
    'host: x',
    `content-type: ${type}`,
    `origin: ${ORIGIN}`,
    `cookie: ${owner.client.cookie}`,
    ...headers,
  ];
  let received = '';
  socket.on('data', (chunk) => {
    received += chunk;
  });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.write(`${lines.join('\r\n')}\r\n\r\n${body}`);
  const closed = new Promise<string>((resolve) => socket.once('close', () => resolve(received)));
  return { socket, closed, soFar: () => received };
}

async function runJob(): Promise<void> {
  await enqueue(test.database.db, removeLeftovers, {});
  await test.app.jobs.start();
}

describe('a file', () => {
  it('is uploaded as the body, listed, read, and downloaded byte by byte', async () => {
    const response = await upload(red, { name: 'hello.txt' });
    const file = response.json<StoredFile>();
    expect([response.statusCode, file]).toMatchObject([
      201,
      { name: 'hello.txt', type: 'text/plain', size: Buffer.byteLength(TEXT) },
    ]);
    expect(file.sha256).toBe(createHash('sha256').update(TEXT).digest('hex'));
    expect(response.headers.location).toBe(`${red.path}/files/${file.id}`);
    expect((await red.client.get(`${response.headers.location}`)).json()).toEqual(file);
    expect(await listed(red)).toEqual([file]);
    const content = await red.client.get(`${red.path}/files/${file.id}/content`);
    expect(content.rawPayload.equals(Buffer.from(TEXT))).toBe(true);
    expect(content.headers).toMatchObject({
      'content-type': 'text/plain',
      'content-length': String(file.size),
      'content-disposition': `attachment; filename="hello.txt"; filename*=UTF-8''hello.txt`,
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
      'accept-ranges': 'bytes',
      etag: `"${file.sha256}"`,
    });
    expect(content.headers['content-security-policy']).toMatch(/(^|; )sandbox$/);
    const head = await test.app.inject({
      method: 'HEAD',
      url: `${red.path}/files/${file.id}/content`,
      headers: { cookie: red.client.cookie },
    });
    expect([head.statusCode, head.body, head.headers['content-length']]).toEqual([
      200,
      '',
      String(file.size),
    ]);
    expect(await onDisk()).toContain(file.id);
  });

  it('is given in ranges, and again only where it is another one', async () => {
    const { id, sha256 } = await uploaded(red, { payload: '0123456789' });
    const ask = (headers: Record<string, string>) =>
      red.client.send('GET', `${red.path}/files/${id}/content`, { headers });
    const etag = `"${sha256}"`;
    for (const [range, body, place] of [
      ['bytes=0-3', '0123', '0-3'],
      ['bytes=4-', '456789', '4-9'],
      ['bytes=-2', '89', '8-9'],
      ['bytes=-99', '0123456789', '0-9'],
      ['bytes=8-99', '89', '8-9'],
    ]) {
      const part = await ask({ range: `${range}`, 'if-range': etag });
      expect([part.statusCode, part.body]).toEqual([206, body]);
      expect(part.headers).toMatchObject({
        'content-range': `bytes ${place}/10`,
        'content-length': String(body?.length),
      });
    }
    for (const range of ['bytes=10-', 'bytes=-0']) {
      const none = await ask({ range });
      expect([...outcome(none), none.headers['content-range']]).toEqual([
        416,
        'range_not_satisfiable',
        'bytes */10',
      ]);
    }
    // Several, reversed, in other units, of another content: all of it.
    for (const range of ['bytes=0-1,4-5', 'bytes=5-2', 'lines=1-2', 'bytes=-', 'bytes=a-b']) {
      expect([range, (await ask({ range })).statusCode]).toEqual([range, 200]);
    }
    expect((await ask({ range: 'bytes=0-3', 'if-range': '"other"' })).body).toBe('0123456789');
    const known = await ask({ 'if-none-match': etag });
    expect([known.statusCode, known.body]).toEqual([304, '']);
    expect((await ask({ 'if-match': '"other"' })).statusCode).toBe(412);
  });

  it('keeps its name, whatever the letters, and gets no other by a header', async () => {
    const { id, name } = await uploaded(red, { name: ' Ang\u0065\u0301lique "%41" (1)*.txt ' });
    expect(name).toBe('Ang\u00e9lique "%41" (1)*.txt');
    const { headers } = await red.client.get(`${red.path}/files/${id}/content`);
    expect(headers['content-disposition']).toBe(
      `attachment; filename="Ang_lique __41_ (1)*.txt"; filename*=UTF-8''Ang%C3%A9lique%20%22%2541%22%20%281%29%2A.txt`,
    );
  });

  it.each([
    '../../etc/passwd',
    '..',
    '.',
    'a/b',
    String.raw`C:\a`,
    'a\u0000.txt',
    'a\r\nset-cookie: x',
    'a\u202egpj.exe',
    '  ',
    'a\u2028b',
    'x'.repeat(201),
  ])('is not taken under the name %j', async (name) => {
    const response = await upload(red, { name });
    expect(outcome(response)).toEqual([400, 'invalid_request']);
  });

  it('is stored once for each Idempotency-Key', async () => {
    const headers = { 'idempotency-key': 'one' };
    const first = await uploaded(blue, { headers });
    expect(await uploaded(blue, { headers })).toEqual(first);
    const other = await upload(blue, { headers, payload: 'something else' });
    expect(outcome(other)).toEqual([422, 'idempotency_key_reused']);
    expect(await rowsOf(blue)).toMatchObject([{ id: first.id }]);
  });

  it('is for those who may: viewers read, members upload, admins delete, keys by their scopes', async () => {
    const member = await addMember(test, blue.client, 'member@example.com', 'member');
    const viewer = await addMember(test, blue.client, 'viewer@example.com', 'viewer');
    const { path } = blue;
    expect((await upload({ client: viewer, path })).statusCode).toBe(403);
    const { id } = (await upload({ client: member, path })).json<StoredFile>();
    expect((await viewer.get(`${path}/files/${id}/content`)).body).toBe(TEXT);
    expect((await member.send('DELETE', `${path}/files/${id}`)).statusCode).toBe(403);
    const key = await makeKey(blue.client, path, { scopes: ['file:read', 'file:create'] });
    const program: Pick<Client, 'send'> = {
      send: (method, url, options) => askWith(test.app, key, url, { method, ...options }),
    };
    expect((await upload({ client: program, path })).statusCode).toBe(201);
    expect((await program.send('DELETE', `${path}/files/${id}`)).statusCode).toBe(403);
    expect((await blue.client.send('DELETE', `${path}/files/${id}`)).statusCode).toBe(204);
    const gone = await blue.client.get(`${path}/files/${id}/content`);
    expect(outcome(gone)).toEqual([404, 'file_not_found']);
  });
});

describe('what is refused', () => {
  it.each([
    ['a page that says it is a picture', 'image/png', '<script>alert(1)</script>'],
    ['a picture that says it is text', 'text/plain', PNG],
    ['text that is not UTF-8', 'text/plain', Buffer.from([0x61, 0xff, 0x62])],
    ['half of a letter at the end', 'text/csv', Buffer.from('a,世').subarray(0, 3)],
    ['a document cut to its first letter', 'application/pdf', '%'],
  ])('%s leaves nothing behind', async (_name, type, payload) => {
    const before = await everything();
    const response = await upload(red, { type, payload });
    expect(outcome(response)).toEqual([415, 'file_type_mismatch']);
    expect(await added(before)).toEqual([]);
  });

  it.each([
    '',
    'text/html',
    'image/svg+xml',
    'application/x-msdownload',
    'text/plain; charset=latin1',
  ])('is the type %j', async (type) => {
    expect(outcome(await upload(red, { type }))).toEqual([415, 'file_type_not_taken']);
  });

  it('is what is empty, too long, or of a length that nobody has said', async () => {
    expect(outcome(await upload(red, { headers: { 'content-length': '0' } }))).toEqual([
      400,
      'file_empty',
    ]);
    const long = { 'content-length': String(MOST + 1) };
    expect(outcome(await upload(red, { headers: long }))).toEqual([413, 'file_too_large']);
    const chunked = await begin(red, ['transfer-encoding: chunked'], '5\r\nhello\r\n');
    expect(await chunked.closed).toMatch(/^HTTP\/1.1 411 .*"length_required"/s);
  });

  it('is a content longer or shorter than it was declared', async () => {
    for (const length of ['10', '60']) {
      const response = await upload(red, {
        payload: Readable.from([Buffer.from(TEXT)]),
        headers: { 'content-length': length },
      });
      expect(outcome(response)).toEqual([400, 'file_size_mismatch']);
    }
    // Where HTTP itself counts, the rest is no request, and ends the connection.
    const rows = await rowsOf(red);
    const socket = await begin(red, ['content-length: 5'], 'hello and more');
    expect(await socket.closed).toMatch(/^HTTP\/1.1 4/);
    await expect.poll(() => rowsOf(red), { timeout: 60_000 }).toEqual(rows);
  });
});

describe('an upload', () => {
  it('that breaks off leaves neither a row nor bytes', async () => {
    const before = await everything();
    const { socket } = await begin(red, ['content-length: 90000'], 'x'.repeat(50_000));
    await expect.poll(onDisk, { timeout: 60_000 }).toContainEqual(expect.stringMatching(/part$/));
    socket.destroy();
    await expect.poll(() => added(before), { timeout: 60_000 }).toEqual([]);
  });

  it('holds no connection to the database while it waits for bytes', async () => {
    const waiting = await Promise.all(
      [1, 2, 3, 4, 5].map(() => begin(blue, ['content-length: 1000'], 'x'.repeat(500))),
    );
    const unfinished = async () =>
      (await rowsOf(blue)).filter(({ storedAt }) => storedAt === null).length;
    await expect.poll(unfinished, { timeout: 60_000 }).toBe(5);
    // They are no files yet.
    expect((await listed(blue)).every(({ size }) => size !== 1_000)).toBe(true);
    for (const { socket } of waiting) socket.destroy();
    await expect.poll(unfinished, { timeout: 60_000 }).toBe(0);
  });

  it('finds room for no more than the quota, however many come at once', async () => {
    const owner = await signUpOwner(test.app, 'full');
    const payload = 'x'.repeat(MOST);
    const answers = await Promise.all(Array.from({ length: 8 }, () => upload(owner, { payload })));
    const codes = answers.map((answer) => answer.json<{ code?: string }>().code ?? 'stored');
    expect(codes.toSorted()).toEqual([
      ...Array.from({ length: 5 }, () => 'file_quota_exceeded'),
      ...Array.from({ length: 3 }, () => 'stored'),
    ]);
    const [{ id } = { id: '' }] = await listed(owner);
    await owner.client.send('DELETE', `${owner.path}/files/${id}`);
    await uploaded(owner, { payload });
  });

  it.runIf('server' in inject('template'))(
    'finds no room that another one is about to take',
    async () => {
      const { organizationId } = await signUpOwner(test.app, 'narrow');
      const begin = (tx: Transaction) =>
        beginFile(tx, { name: 'a', type: 'text/plain', size: MOST, uploadedBy: null }, MOST);
      const taken = Promise.withResolvers<void>();
      const committed = Promise.withResolvers<void>();
      const first = withTenant(test.database, organizationId, async (tx) => {
        const id = await begin(tx);
        taken.resolve();
        await committed.promise;
        return id;
      });
      await taken.promise;
      let isOver = false;
      const second = withTenant(test.database, organizationId, begin).finally(() => {
        isOver = true;
      });
      const waits = sql`select from pg_locks join pg_database on pg_database.oid = database
        where datname = current_database() and locktype = 'advisory' and not granted`;
      const isDecided = async () =>
        isOver || (await test.database.db.execute(waits)).rows.length > 0;
      await expect.poll(isDecided, { timeout: 60_000 }).toBe(true);
      committed.resolve();
      const id = await first;
      expect(id).toBeDefined();
      expect(await second).toBeUndefined();
      await test.database.db.delete(fileLeftovers).where(eq(fileLeftovers.fileId, `${id}`));
    },
  );

  describe('in its time', () => {
    const brief = { REQUEST_TIMEOUT_MS: '1000', FILES_UPLOAD_BYTES_PER_SECOND: '1000' };

    /** Beside the other application, with its database and its people. */
    async function within(env: Record<string, string>, work: (port: number) => Promise<void>) {
      const database = { ...test.database, close: async () => undefined };
      const other = await startApp({ database, env });
      try {
        const address = await other.app.listen({ host: '127.0.0.1', port: 0 });
        await work(Number(new URL(address).port));
      } finally {
        other.app.server.closeAllConnections();
        await other.close();
      }
    }

    it('may come slowly, if steadily, while other requests are cut off', () =>
      within(brief, async (at) => {
        const slow = await begin(red, ['content-length: 60000'], 'x'.repeat(30_000), { at });
        // The server looks at both at once.
        const other = await begin(red, ['content-length: 9'], '{', {
          at,
          to: '/api/auth/sign-in/email',
          type: 'application/json',
        });
        expect(await other.closed).toMatch(/^HTTP\/1.1 408 /);
        slow.socket.write('x'.repeat(30_000));
        await expect.poll(slow.soFar, { timeout: 60_000 }).toMatch(/^HTTP\/1.1 201 /);
      }));

    it.each([
      ['slower than it may be', brief],
      ['no longer when its time is over', { FILES_UPLOAD_TIMEOUT_MS: '300' }],
    ])('is told so when it comes %s', (_name, env) =>
      within(env, async (at) => {
        const rows = await rowsOf(red);
        const { closed } = await begin(red, ['content-length: 100'], 'x'.repeat(50), { at });
        expect(await closed).toMatch(/^HTTP\/1.1 408 .*"request_timeout"/s);
        await expect.poll(() => rowsOf(red), { timeout: 60_000 }).toEqual(rows);
      }),
    );
  });
});

describe('bytes go', () => {
  it('when their file is deleted, by a job after the commit', async () => {
    const { id } = await uploaded(red);
    expect((await red.client.send('DELETE', `${red.path}/files/${id}`)).statusCode).toBe(204);
    await test.app.jobs.start();
    await expect.poll(onDisk, { timeout: 60_000 }).not.toContain(id);
  });

  it('when the organization is deleted, or the process ended in the middle of an upload', async () => {
    const owner = await signUpOwner(test.app, 'leaving');
    const { organizationId } = owner;
    const stays = await uploaded(red);
    const { id } = await uploaded(owner);
    const crashed = await withTenant(test.database, red.organizationId, (tx) =>
      beginFile(tx, { name: 'x', type: 'text/plain', size: 9, uploadedBy: null }, MOST),
    );
    const where = join(folder, `${crashed}`.slice(0, 2));
    await mkdir(where, { recursive: true });
    await writeFile(join(where, `${crashed}.part`), 'half');
    // Not before nobody can be at it any more.
    const due = eq(fileLeftovers.fileId, `${crashed}`);
    const [left] = await test.database.db.select().from(fileLeftovers).where(due);
    expect(Number(left?.dueAt)).toBeGreaterThan(Date.now() + 3_600_000);
    await test.database.db
      .update(fileLeftovers)
      .set({ dueAt: sql`now() - interval '1 second'` })
      .where(due);
    // A commit that nobody heard of leaves a file that somebody means to tidy up.
    const unheard = { fileId: stays.id, tenant: red.organizationId, dueAt: new Date(0) };
    await test.database.db.insert(fileLeftovers).values(unheard);

    const body = { organizationId };
    expect((await owner.client.post('/api/auth/organization/delete', body)).statusCode).toBe(200);
    await runJob();
    const leftovers = () => test.database.db.select().from(fileLeftovers);
    await expect.poll(leftovers, { timeout: 60_000 }).toEqual([]);
    const names = await onDisk();
    expect(names).toContain(stays.id);
    expect(names.filter((name) => [id, `${crashed}.part`].includes(name))).toEqual([]);
    expect((await rowsOf(red)).every(({ storedAt }) => storedAt !== null)).toBe(true);
  });
});

describe('a link', () => {
  const follow = (url: string) => test.app.inject(url.replace(ORIGIN, ''));
  const make = async ({ client, path }: typeof red, id: string) =>
    (await client.post(`${path}/files/${id}/links`, {})).json<FileLink>();

  it('lets anybody read the file for a while, and nothing else', async () => {
    const { id } = await uploaded(red);
    const { url, expiresAt } = await make(red, id);
    expect(Date.parse(expiresAt)).toBeGreaterThan(Date.now());
    const response = await follow(url);
    expect([response.statusCode, response.body]).toEqual([200, TEXT]);
    expect(response.headers['content-disposition']).toMatch(/^attachment; /);
    const other = await uploaded(red);
    const [swapped, later] = [url.replace(id, other.id), url.replace(/expires=\d/, 'expires=9')];
    const elsewhere = url.replace(red.organizationId, blue.organizationId);
    for (const forged of [swapped, later, elsewhere, url.slice(0, -1), `${url}x`]) {
      expect(outcome(await follow(forged)), forged).toEqual([401, 'file_link_invalid']);
    }
  });

  it('ends with its time, with its file, and at the border of its organization', async () => {
    const { id } = await uploaded(red);
    const links = new Links(loadConfig({}).AUTH_SECRET, '');
    const organization = red.organizationId;
    const expires = Math.floor(Date.now() / 1_000);
    const signed = (link: object) =>
      follow(links.urlOf({ organization, file: id, expires, ...link }));
    expect(outcome(await signed({ expires: expires - 1 }))).toEqual([403, 'file_link_expired']);
    expect((await signed({ expires: expires + 600 })).statusCode).toBe(200);
    const foreign = await signed({ expires: expires + 600, organization: blue.organizationId });
    expect(outcome(foreign)).toEqual([404, 'file_not_found']);
    const { url } = await make(red, id);
    await red.client.send('DELETE', `${red.path}/files/${id}`);
    expect(outcome(await follow(url))).toEqual([404, 'file_not_found']);
  });
});

describe('where files are kept', () => {
  it('is nowhere in production until a setting says it, which the answer names', async () => {
    const { database } = test;
    const test2 = await startApp({
      database: { ...database, close: async () => undefined },
      env: { FILES_DIR: '', DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/none' },
    });
    try {
      const headers = { cookie: red.client.cookie };
      const response = await test2.app.inject({ url: `${red.path}/files`, headers });
      expect(response.json()).toMatchObject({
        status: 503,
        code: 'files_not_configured',
        detail: expect.stringMatching(/FILES_BUCKET_URL.*FILES_DIR/),
      });
    } finally {
      await test2.close();
    }
  });

  it('is a folder of the project in development alone, and no bucket without its key', async () => {
    const open = (env: Record<string, string>) => {
      const config = loadConfig(env, modules);
      return openStorage(config, config.modules.files as Parameters<typeof openStorage>[1]);
    };
    expect(await open({})).toBeDefined();
    const production = {
      NODE_ENV: 'production',
      AUTH_SECRET: 'x'.repeat(32),
      PUBLIC_URL: 'https://api.example.com',
      MAIL_URL: 'log:',
      ALLOW_EMBEDDED_DATABASE: 'true',
    };
    expect(await open(production)).toBeUndefined();
    expect(await open({ ...production, FILES_DIR: '/srv/files' })).toBeDefined();
    const bucket = { FILES_BUCKET_URL: 'https://s3.example.com/bucket', FILES_BUCKET_KEY: 'key' };
    await expect(open(bucket)).rejects.toThrow('FILES_BUCKET_SECRET: is required');
  });
});
