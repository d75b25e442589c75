import { Problem } from '@app/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { withoutValues } from '../src/http/logging.ts';
import { defineModule } from '../src/module.ts';
import { startApp, type TestApp } from './support/app.ts';
import { unreachableDatabase } from './support/database.ts';
import { noteModule } from './support/notes.ts';

/** Routes that fail in the ways that an application's own routes may. */
const failing = defineModule({
  name: 'failing',
  register(app) {
    app.get('/fail/error', async () => {
      throw new Error('the password of the database is hunter2');
    });
    app.get('/fail/text', async () => {
      throw 'hunter2';
    });
    app.get(
      '/fail/shape',
      { schema: { response: { 200: z.object({ n: z.number() }) } } },
      (async () => ({
        n: 'hunter2',
      })) as never,
    );
    app.post(
      '/echo',
      { schema: { body: z.object({ n: z.number() }) } },
      async (request) => request.body,
    );
    app.post('/log', async (request) => {
      request.log.info({ headers: request.headers, body: request.body }, 'everything');
      return {};
    });
    app.get('/ip', { config: { rateLimit: { max: 2 } } }, async (request) => ({ ip: request.ip }));
  },
});

let test: TestApp;
beforeAll(async () => {
  test = await startApp({
    database: unreachableDatabase(),
    extraModules: [failing, noteModule],
    env: { CORS_ORIGINS: 'https://app.example.com' },
  });
});
afterAll(() => test.close());

const JSON_TYPE = { 'content-type': 'application/json' };
const send = (
  method: 'GET' | 'POST' | 'PUT' | 'TRACE' | 'PROPFIND' | 'QUERY' | 'PATCH' | 'DELETE',
  url: string,
  payload = '',
  headers = JSON_TYPE as object,
) => test.app.inject({ method, url, ...(payload && { payload, headers: { ...headers } }) });

describe('every error is a problem', () => {
  it.each([
    ['an unknown address', 404, 'not_found', () => send('GET', '/nowhere')],
    ['a wrong method', 405, 'method_not_allowed', () => send('PUT', '/livez')],
    ['TRACE', 405, 'method_not_allowed', () => send('TRACE', '/livez')],
    ['a method of WebDAV', 405, 'method_not_allowed', () => send('PROPFIND', '/livez')],
    ['a wrong method for accounts', 405, 'method_not_allowed', () => send('PUT', '/api/auth/x')],
    ['TRACE of an unknown address', 404, 'not_found', () => send('TRACE', '/nowhere')],
    ['DELETE of an unknown address', 404, 'not_found', () => send('DELETE', '/nowhere')],
    ['malformed JSON', 400, 'bad_request', () => send('POST', '/echo', '{"n": 1')],
    ['an empty body', 400, 'invalid_request', () => send('POST', '/echo')],
    ['a hostile key', 400, 'bad_request', () => send('POST', '/echo', '{"__proto__": {"n": 1}}')],
    ['a wrong type', 400, 'invalid_request', () => send('POST', '/echo', '{"n": "1"}')],
    [
      'a huge body',
      413,
      'payload_too_large',
      () => send('POST', '/echo', `"${'x'.repeat(1_100_000)}"`),
    ],
    [
      'another type',
      415,
      'unsupported_media_type',
      () => send('POST', '/echo', 'n=1', { 'content-type': 'text/plain' }),
    ],
    [
      'an address that cannot be decoded',
      400,
      'bad_request',
      () => send('GET', '/api/v1/organizations/acme/test-notes/%zz'),
    ],
    ['an unexpected error', 500, 'internal_error', () => send('GET', '/fail/error')],
    ['something thrown that is no error', 500, 'internal_error', () => send('GET', '/fail/text')],
    ['an answer of the wrong form', 500, 'internal_error', () => send('GET', '/fail/shape')],
  ])('%s: %i %s', async (_name, status, code, request) => {
    const response = await request();
    expect(response.statusCode, response.body).toBe(status);
    expect(response.headers['content-type']).toContain('application/problem+json');
    const problem = Problem.parse(response.json());
    expect(problem).toMatchObject({ status, code, requestId: response.headers['x-request-id'] });
    expect(response.body).not.toContain('hunter2');
  });

  it('points at each invalid field', async () => {
    const response = await send('POST', '/echo', '{}');
    expect(response.json<Problem>().errors).toMatchObject([{ in: 'body', path: '/n' }]);
  });

  it.each(['PUT', 'TRACE', 'PROPFIND', 'QUERY'] as const)(
    'says what is possible instead of %s',
    async (method) => {
      expect((await send(method, '/livez')).headers.allow).toBe('GET, HEAD');
      expect((await send(method, '/api/auth/session')).headers.allow).toBe('GET, HEAD, POST');
    },
  );

  it('logs what an unexpected error was', async () => {
    await send('GET', '/fail/error');
    expect(JSON.stringify(test.logs)).toContain('the password of the database');
  });
});

describe('copies of answers', () => {
  it.each(['/livez', '/nowhere', '/api/v1/nowhere', '/api/auth/get-session', '/fail/error'])(
    'are kept by nobody: %s',
    async (url) => {
      expect((await send('GET', url)).headers['cache-control']).toBe('no-store');
    },
  );
});

describe('request ids', () => {
  it('are echoed when harmless and made when not', async () => {
    const idFor = async (id: string) => {
      const response = await test.app.inject({ url: '/livez', headers: { 'x-request-id': id } });
      return response.headers['x-request-id'];
    };
    expect(await idFor('trace-1.2:3')).toBe('trace-1.2:3');
    for (const hostile of ['a b', '<script>', 'x'.repeat(129)]) {
      expect(await idFor(hostile)).toMatch(/^[0-9a-f-]{36}$/);
    }
  });
});

describe('logs', () => {
  it('hold no secrets', async () => {
    const headers = { authorization: 'Bearer hunter2', cookie: 'session=hunter2', ...JSON_TYPE };
    const payload = JSON.stringify({ email: 'a@b.c', password: 'hunter2', newPassword: 'hunter2' });
    const response = await send('POST', '/log?token=hunter2', payload, headers);
    const lines = test.logs.filter((line) => line.reqId === response.headers['x-request-id']);
    expect(lines.map((line) => line.msg)).toContain('everything');
    const text = JSON.stringify(lines);
    expect(text).toContain('[redacted]');
    expect(text).toContain('a@b.c');
    expect(text).not.toContain('hunter2');
  });

  it('hold no tokens of links in mails, and nothing that somebody searched for', () => {
    expect(withoutValues('/api/auth/verify-email?a=1&token=abc&b')).toBe(
      '/api/auth/verify-email?a=[redacted]&token=[redacted]&b',
    );
    expect(withoutValues('/api/auth/reset-password/abc?x=1')).toBe(
      '/api/auth/reset-password/[redacted]?x=[redacted]',
    );
  });
});

describe('browsers', () => {
  it('are told to run, frame and sniff nothing', async () => {
    for (const path of ['/livez', '/nowhere', '/api/v1/organizations/acme/test-notes']) {
      const { headers } = await send('GET', path);
      expect(headers).toMatchObject({
        'content-security-policy': "default-src 'none';frame-ancestors 'none'",
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-resource-policy': 'same-origin',
        'referrer-policy': 'no-referrer',
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'SAMEORIGIN',
      });
      expect(headers).not.toHaveProperty('x-powered-by');
      expect(headers).not.toHaveProperty('strict-transport-security');
    }
  });

  it('are told to come by https only, where that is the address', async () => {
    const secure = await startApp({ env: { PUBLIC_URL: 'https://api.example.com' } });
    const { headers } = await secure.app.inject('/livez');
    expect(headers['strict-transport-security']).toBe('max-age=31536000; includeSubDomains');
    await secure.close();
  });

  it('may read answers only from the origins that are configured', async () => {
    const preflight = (origin: string) =>
      test.app.inject({
        method: 'OPTIONS',
        url: '/api/v1/organizations/acme/test-notes',
        headers: { origin, 'access-control-request-method': 'PATCH' },
      });
    const known = await preflight('https://app.example.com');
    expect(known.statusCode).toBe(204);
    expect(known.headers['access-control-allow-origin']).toBe('https://app.example.com');
    expect(known.headers['access-control-allow-methods']).toContain('PATCH');
    const none = await test.app.inject({ method: 'OPTIONS', url: '/livez' });
    expect(none.statusCode).toBe(204);
    const unknown = await preflight('https://evil.example');
    expect(unknown.headers).not.toHaveProperty('access-control-allow-origin');
  });

  it('may not write from a page that we do not know', async () => {
    const headers = { ...JSON_TYPE, origin: 'https://evil.example' };
    const response = await send('POST', '/echo', '{"n":1}', headers);
    expect(response.statusCode).toBe(403);
    expect(response.json()).toMatchObject({ code: 'unknown_origin' });
    for (const method of ['PUT', 'PATCH', 'DELETE'] as const) {
      const { statusCode } = await send(
        method,
        '/api/v1/organizations/a/test-notes',
        '{}',
        headers,
      );
      expect([method, statusCode]).toEqual([method, 403]);
    }
  });

  it.each([
    ['cross-site', 403],
    ['same-site', 403],
    ['same-origin', 200],
    [undefined, 200],
  ])('that name no page, but that it is %s, get %i', async (site, status) => {
    const headers = { ...JSON_TYPE, ...(site && { 'sec-fetch-site': site }) };
    expect((await send('POST', '/echo', '{"n":1}', headers)).statusCode).toBe(status);
  });
});

describe('the rate limit', () => {
  it('answers 429, says when to come back, and leaves probes alone', async () => {
    const limited = await startApp({
      database: test.database,
      extraModules: [noteModule],
      env: { RATE_LIMIT_MAX: '2' },
    });
    const statuses: number[] = [];
    for (let i = 0; i < 4; i += 1) {
      statuses.push(
        (await limited.app.inject({ url: '/api/v1/organizations/acme/test-notes' })).statusCode,
      );
    }
    expect(statuses).toEqual([401, 401, 429, 429]);
    const response = await limited.app.inject({ url: '/api/v1/organizations/acme/test-notes' });
    expect(Number(response.headers['retry-after'])).toBeGreaterThan(0);
    expect(Problem.parse(response.json())).toMatchObject({ code: 'too_many_requests' });
    expect((await limited.app.inject({ url: '/livez' })).statusCode).toBe(200);
    expect((await limited.app.inject({ url: '/readyz' })).statusCode).not.toBe(429);
    await limited.app.close();
  });

  it.each([
    [{}, ['127.0.0.1', '127.0.0.1', undefined]],
    [{ TRUST_PROXY: '1' }, ['10.0.0.1', '10.0.0.2', '10.0.0.3']],
    [{ TRUST_PROXY: 'loopback' }, ['10.0.0.1', '10.0.0.2', '10.0.0.3']],
    [{ TRUST_PROXY: '192.168.0.0/16' }, ['127.0.0.1', '127.0.0.1', undefined]],
  ])('counts by the forwarded address only where %j says so', async (env, expected) => {
    const trusting = await startApp({ database: test.database, extraModules: [failing], env });
    const ips: unknown[] = [];
    for (const last of [1, 2, 3]) {
      const headers = { 'x-forwarded-for': `6.6.6.6, 10.0.0.${last}` };
      ips.push((await trusting.app.inject({ url: '/ip', headers })).json().ip);
    }
    expect(ips).toEqual(expected);
    await trusting.app.close();
  });
});
