import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { etagOf, versionsOf } from '../src/http/etag.ts';
import { ProblemError } from '../src/http/problems.ts';
import { defineModule } from '../src/module.ts';
import { startApp, type TestApp } from './support/app.ts';
import { unreachableDatabase } from './support/database.ts';

const VERSION = 3;
const things = defineModule({
  name: 'things',
  register(app) {
    app.get('/thing', async (_request, reply) => {
      reply.header('etag', etagOf({ version: VERSION }));
      return { version: VERSION };
    });
    app.get('/things', async () => [{ version: VERSION }]);
    app.post('/things', async () => ({}));
  },
});

let test: TestApp;
beforeAll(async () => {
  test = await startApp({ database: unreachableDatabase(), extraModules: [things] });
});
afterAll(() => test.close());

describe('If-Match', () => {
  it.each([
    ['"3"', [3]],
    ['W/"3"', [3]],
    ['"3-gzip"', [3]],
    ['W/"3-br"', [3]],
    ['"3", W/"4" ,"5"', [3, 4, 5]],
    ['"3", "3-gzip"', [3]],
    ['"of another resource", "7"', [7]],
    [' * ', 'any'],
  ])('%j names the versions %j', (header, versions) => {
    expect(versionsOf(header)).toEqual(versions);
  });

  it.each([
    '',
    '3',
    '"0"',
    '"03"',
    '"-1"',
    '"3.0"',
    '"9999999999"',
    'W/"x"',
    '"*"',
    '"3-"',
    '"3-exe"',
  ])('%j names none of ours', (header) => {
    expect(() => versionsOf(header)).toThrow(
      expect.objectContaining({ statusCode: 412, code: 'stale_version' }),
    );
  });

  it('must be there', () => {
    expect(() => versionsOf(undefined)).toThrow(ProblemError);
    expect(() => versionsOf(undefined)).toThrow(expect.objectContaining({ statusCode: 428 }));
  });
});

describe('If-Match of what is only read', () => {
  it.each([
    ['"3"', 200],
    ['"1", W/"3-gzip"', 200],
    ['*', 200],
    ['"2"', 412],
  ])('%s is answered with %i', async (wanted, status) => {
    const response = await test.app.inject({ url: '/thing', headers: { 'if-match': wanted } });
    expect(response.statusCode).toBe(status);
    if (status === 412) expect(response.json()).toMatchObject({ code: 'stale_version' });
  });
});

describe('If-None-Match', () => {
  const get = (url: string, known?: unknown, method: 'GET' | 'HEAD' = 'GET') =>
    test.app.inject({
      method,
      url,
      ...(known ? { headers: { 'if-none-match': `${known}` } } : {}),
    });

  it.each(['/thing', '/things'])('saves sending %s again', async (url) => {
    const first = await get(url);
    expect(first.statusCode).toBe(200);
    const { etag } = first.headers;
    for (const known of [etag, `W/${etag}`, `"old", ${etag}`, '*']) {
      const again = await get(url, known);
      expect(again.statusCode, `${known}`).toBe(304);
      expect(again.body).toBe('');
      expect(again.headers).toMatchObject({ etag, 'cache-control': 'no-store' });
      expect(again.headers).not.toHaveProperty('content-type');
    }
  });

  it('changes nothing for what the caller does not have, and for other answers', async () => {
    expect((await get('/thing', '"2"')).json()).toEqual({ version: VERSION });
    expect((await get('/nowhere', '*')).statusCode).toBe(404);
    expect((await get('/nowhere', '*')).headers).not.toHaveProperty('etag');
    expect((await get('/thing', undefined, 'HEAD')).statusCode).toBe(200);
    const written = await test.app.inject({
      method: 'POST',
      url: '/things',
      headers: { 'if-none-match': '*' },
    });
    expect(written.statusCode).toBe(200);
    expect(written.headers).not.toHaveProperty('etag');
  });

  it('has the same ETag for HEAD', async () => {
    for (const url of ['/thing', '/things']) {
      const { etag } = (await get(url)).headers;
      expect((await get(url, undefined, 'HEAD')).headers.etag).toBe(etag);
      expect((await get(url, etag, 'HEAD')).statusCode).toBe(304);
    }
  });

  it('tells two lists apart', async () => {
    const [list, thing] = [await get('/things'), await get('/openapi.json')];
    expect(list.headers.etag).not.toBe(thing.headers.etag);
  });
});
