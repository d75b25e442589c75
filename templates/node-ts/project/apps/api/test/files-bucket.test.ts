import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:http';
import type { FileLink, StoredFile } from '@app/contracts';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { BucketStorage } from '../src/modules/files/bucket.ts';
import { ORIGIN, signUpOwner, startApp, type TestApp } from './support/app.ts';
import { BucketServer } from './support/bucket-server.ts';

// With TEST_BUCKET_URL, TEST_BUCKET_KEY, TEST_BUCKET_SECRET and TEST_BUCKET_REGION these tests use that
// bucket, and leave out what only a bucket of their own can do.
const {
  TEST_BUCKET_URL: given,
  TEST_BUCKET_KEY,
  TEST_BUCKET_SECRET,
  TEST_BUCKET_REGION,
} = process.env;

const MIB = 1_048_576;
/** More than the sockets between caller, application and bucket can hold. */
const LARGE = 40 * MIB;
const NAME = 'Grüße & (mehr)* "1+1".txt';

const bucket = new BucketServer();
let settings: BucketServer['env'];
let test: TestApp;
let address: URL;
let owner: Awaited<ReturnType<typeof signUpOwner>>;

beforeAll(async () => {
  await bucket.start();
  settings = given
    ? {
        FILES_BUCKET_URL: given,
        FILES_BUCKET_KEY: `${TEST_BUCKET_KEY}`,
        FILES_BUCKET_SECRET: `${TEST_BUCKET_SECRET}`,
        FILES_BUCKET_REGION: TEST_BUCKET_REGION ?? 'us-east-1',
      }
    : bucket.env;
  test = await startApp({ env: { ...settings, FILES_MAX_BYTES: String(LARGE) } });
  owner = await signUpOwner(test.app, 'red');
  address = new URL(await test.app.listen({ host: '127.0.0.1', port: 0 }));
});
afterAll(async () => {
  test.app.server.closeAllConnections();
  await test.close();
  await bucket.close();
});

const upload = (payload: string | Buffer, name = 'a.txt') =>
  owner.client.send('POST', `${owner.path}/files?${new URLSearchParams({ name })}`, {
    payload,
    headers: { 'content-type': 'text/plain' },
  });
/** The bucket as the application speaks to it. */
const storage = (secret = settings.FILES_BUCKET_SECRET) =>
  new BucketStorage({
    url: settings.FILES_BUCKET_URL,
    region: settings.FILES_BUCKET_REGION,
    key: settings.FILES_BUCKET_KEY,
    secret,
  });
const contentOf = (id: string, headers = {}) =>
  owner.client.send('GET', `${owner.path}/files/${id}/content`, { headers });

it('a file goes into a bucket and comes out of it, whole or in part', async () => {
  const response = await upload('0123456789');
  const { id, sha256 } = response.json<StoredFile>();
  expect([response.statusCode, sha256]).toEqual([
    201,
    createHash('sha256').update('0123456789').digest('hex'),
  ]);
  expect((await contentOf(id)).body).toBe('0123456789');
  const part = await contentOf(id, { range: 'bytes=3-5' });
  expect([part.statusCode, part.body, part.headers['content-range']]).toEqual([
    206,
    '345',
    'bytes 3-5/10',
  ]);
  // More than one piece of a body, both ways.
  const large = Buffer.alloc(3 * MIB, 'pieces ');
  const { id: second } = (await upload(large)).json<StoredFile>();
  expect((await contentOf(second)).rawPayload.equals(large)).toBe(true);
  expect((await contentOf(second, { range: 'bytes=-7' })).rawPayload).toEqual(large.subarray(-7));
});

it('its link leads to the bucket, which lets nobody change it', async () => {
  const { id } = (await upload('for whoever has the link', NAME)).json<StoredFile>();
  const answer = await owner.client.post(`${owner.path}/files/${id}/links`, {});
  const { url, expiresAt } = answer.json<FileLink>();
  expect(url).not.toContain(ORIGIN);
  // What S3 has signed as a space must not come as a plus.
  expect(url).not.toContain('+');
  expect(Date.parse(expiresAt)).toBeGreaterThan(Date.now());
  const response = await fetch(url);
  expect([response.status, await response.text()]).toEqual([200, 'for whoever has the link']);
  expect(response.headers.get('content-type')).toBe('text/plain');
  expect(response.headers.get('content-disposition')).toBe(
    `attachment; filename="Gr__e & (mehr)* _1+1_.txt"; filename*=UTF-8''Gr%C3%BC%C3%9Fe%20%26%20%28mehr%29%2A%20%221%2B1%22.txt`,
  );
  const page = url.replace(/(response-content-type=)[^&]+/, '$1text%2Fhtml');
  expect(page).not.toBe(url);
  for (const forged of [page, url.replace(/[0-9a-f]$/, (last) => (last === '0' ? '1' : '0'))]) {
    expect((await fetch(forged)).status).toBe(403);
  }
  // Nobody gets anything without a signature.
  expect((await fetch(url.split('?')[0] ?? '')).status).toBe(403);
});

it('its link ends with its time', async () => {
  const { id } = (await upload('for a minute')).json<StoredFile>();
  const labels = { type: 'text/plain', disposition: 'attachment' };
  vi.setSystemTime(Date.now() - 120_000);
  const [over, lasts] = await Promise.all(
    [60, 600].map((seconds) => storage().link(id, labels, seconds)),
  ).finally(() => vi.useRealTimers());
  expect((await fetch(`${over}`)).status).toBe(403);
  expect((await fetch(`${lasts}`)).status).toBe(200);
});

it('with another secret nothing is written, read or removed', async () => {
  const { id } = (await upload('stays')).json<StoredFile>();
  const stranger = storage('wrong');
  const { signal } = new AbortController();
  const refused = { statusCode: 503, code: 'file_storage_unavailable' };
  const bytes = async function* () {
    yield Buffer.from('other');
  };
  await expect(stranger.write(id, bytes(), 5, signal)).rejects.toMatchObject(refused);
  await expect(stranger.read(id, { start: 0, end: 4 })).rejects.toMatchObject(refused);
  await expect(stranger.remove(id)).rejects.toMatchObject(refused);
  expect((await contentOf(id)).body).toBe('stays');
});

it('what breaks off is no object, and what is not there is gone already', async () => {
  const id = randomUUID();
  const half = async function* () {
    yield Buffer.from('half');
    throw new Error('gone');
  };
  const writing = storage().write(id, half(), 8, new AbortController().signal);
  await expect(writing).rejects.toMatchObject({ reason: { message: 'gone' } });
  await expect(storage().read(id, { start: 0, end: 3 })).rejects.toMatchObject({
    reason: { message: 'the bucket answers 404 to GET' },
  });
  await storage().remove(id);
});

it('its bytes go from the bucket with it', async () => {
  const { id } = (await upload('for a short time')).json<StoredFile>();
  const { url } = (await owner.client.post(`${owner.path}/files/${id}/links`, {})).json<FileLink>();
  expect((await owner.client.send('DELETE', `${owner.path}/files/${id}`)).statusCode).toBe(204);
  await test.app.jobs.start();
  await expect.poll(async () => (await fetch(url)).status, { timeout: 60_000 }).toBe(404);
});

/** The count once it stands still, or has come to the end. */
async function standstill(count: () => number, end: number): Promise<number> {
  let before = -1;
  while (count() < end && count() !== before) {
    before = count();
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return count();
}

const CHUNK = Buffer.alloc(MIB, 'streamed ');

it.skipIf(given)('a caller waits for the bucket, and no file is ever held whole', async () => {
  const { promise, resolve: open } = Promise.withResolvers<void>();
  bucket.opens = promise;
  const sent = request(new URL(`${owner.path}/files?name=large.txt`, address), {
    method: 'POST',
    headers: {
      'content-type': 'text/plain',
      'content-length': LARGE,
      origin: ORIGIN,
      cookie: owner.client.cookie,
    },
  });
  const answered = once(sent, 'response');
  let written = 0;
  const write = async () => {
    for (; written < LARGE; written += MIB) {
      if (!sent.write(CHUNK)) await once(sent, 'drain');
    }
    sent.end();
  };
  const writing = write();
  // As long as the bucket takes nothing, the rest stays with the caller.
  expect(await standstill(() => written, LARGE)).toBeLessThan(LARGE);
  expect(bucket.received).toBe(0);
  open();
  await writing;
  const [response] = await answered;
  const [body] = await response.toArray();
  const file = JSON.parse(body) as StoredFile;
  const hash = createHash('sha256');
  for (let count = 0; count < LARGE; count += MIB) hash.update(CHUNK);
  expect([response.statusCode, file.size, file.sha256]).toEqual([201, LARGE, hash.digest('hex')]);

  // And back: what a caller does not read stays in the bucket.
  const asked = request(new URL(`${owner.path}/files/${file.id}/content`, address), {
    headers: { cookie: owner.client.cookie },
  });
  asked.end();
  const [download] = await once(asked, 'response');
  expect(await standstill(() => bucket.sent(), LARGE)).toBeLessThan(LARGE);
  let length = 0;
  for await (const chunk of download) length += chunk.length;
  expect(length).toBe(LARGE);
});

it.skipIf(given)('a bucket that fails is told of as such, and leaves no row', async () => {
  const { id } = (await upload('there before')).json<StoredFile>();
  const list = async () => (await owner.client.get(`${owner.path}/files`)).body;
  const before = await list();
  for (const how of [500, 0]) {
    bucket.fails = how;
    for (const response of [await upload('lost'), await contentOf(id)]) {
      expect(response.json()).toMatchObject({ status: 503, code: 'file_storage_unavailable' });
    }
  }
  bucket.fails = undefined;
  expect(await list()).toBe(before);
  const refused = await upload('a\u0000b');
  expect(refused.json()).toMatchObject({ status: 415, code: 'file_type_mismatch' });
  expect([...bucket.objects.values()].map(String)).not.toContain('lost');
});
