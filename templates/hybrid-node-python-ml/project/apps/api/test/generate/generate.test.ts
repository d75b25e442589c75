import type { AddressInfo } from 'node:net';
import { Answer, AnswerEvent, type TokenUsage } from '@app/contracts';
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config.ts';
import { readAnswer } from '../../src/modules/generate/protocol.ts';
import { modules } from '../../src/modules/index.ts';
import { askWith, makeKey } from '../support/api-keys.ts';
import {
  addMember,
  type Client,
  ORIGIN,
  signUpOwner,
  startApp,
  type TestApp,
} from '../support/app.ts';
import {
  breaking,
  dropping,
  END,
  ending,
  endless,
  FakeModel,
  finish,
  frozen,
  PROMPT_TOKENS,
  piece,
  refusing,
  saying,
  silentAfter,
  thought,
  usage,
  wire,
} from './fake-model.ts';

const PATH = '/api/v1/organizations/acme/generate';
const KEY = 'sk-known-to-nobody-else';
const SECRET = 'the prompt of somebody';
const QUESTION = { messages: [{ role: 'user', content: SECRET }] };
const MAX_TOKENS = 50;
const LIMIT = 1_000;
const JSON_TYPE = 'application/json';

const model = new FakeModel();

interface Running {
  readonly test: TestApp;
  readonly owner: Client;
  readonly address: string;
}

/** The first waits for whatever comes; each of the others has one deadline that is short. */
let patient: Running;
let forFirst: Running;
let forNext: Running;
let forAll: Running;
let owner: Client;

async function start(env: Record<string, string> = {}): Promise<Running> {
  const test = await startApp({
    env: {
      GENERATE_URL: `${model.url}/`,
      GENERATE_API_KEY: KEY,
      GENERATE_MODEL: 'a-model',
      GENERATE_MAX_TOKENS: String(MAX_TOKENS),
      // The machine may be busy.
      GENERATE_FIRST_TOKEN_MS: '300000',
      GENERATE_NEXT_TOKEN_MS: '300000',
      GENERATE_TIMEOUT_MS: '600000',
      GENERATE_MAX_CONCURRENCY: '2',
      GENERATE_BREAKER_FAILURES: '1000',
      ...env,
    },
  });
  const { client } = await signUpOwner(test.app, 'acme');
  await test.app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = test.app.server.address() as AddressInfo;
  return { test, owner: client, address: `http://127.0.0.1:${port}` };
}

beforeAll(async () => {
  await model.start();
  patient = await start();
  forFirst = await start({ GENERATE_FIRST_TOKEN_MS: '500' });
  forNext = await start({ GENERATE_NEXT_TOKEN_MS: '500' });
  forAll = await start({ GENERATE_TIMEOUT_MS: '3000' });
  owner = patient.owner;
});
afterAll(async () => {
  await model.kill();
  for (const { test } of [patient, forFirst, forNext, forAll]) await test.close();
});
beforeEach(() => {
  model.speech = saying('Hello', ' there');
  model.calls.length = 0;
});

interface OpenOptions {
  readonly at?: Running;
  readonly by?: Client;
  readonly path?: string;
  readonly accept?: string;
  readonly signal?: AbortSignal;
}

/** Over a connection of its own, for what cannot wait for the end. */
function open(options: OpenOptions = {}) {
  const { at = patient, by = at.owner, path = PATH, accept = '*/*', signal } = options;
  return fetch(at.address + path, {
    method: 'POST',
    headers: { 'content-type': JSON_TYPE, accept, origin: ORIGIN, cookie: by.cookie },
    body: JSON.stringify(QUESTION),
    ...(signal && { signal }),
  });
}

function post(at = patient, body: object = QUESTION) {
  return at.owner.post(PATH, body);
}

function postForJson(at = patient) {
  return at.owner.send('POST', PATH, { payload: QUESTION, headers: { accept: JSON_TYPE } });
}

function eventsIn(text: string): AnswerEvent[] {
  const blocks = text.split('\n\n').filter((block) => block.startsWith('event:'));
  return blocks.map((block) => {
    const [name, data] = block.split('\n');
    const event = AnswerEvent.parse(JSON.parse(data?.replace('data: ', '') ?? ''));
    expect(name).toBe(`event: ${event.type}`);
    return event;
  });
}

/** What came of the text, and the code with which a stream ended early. */
async function ended(at = patient): Promise<[string, string]> {
  const response = await open({ at });
  const body = await response.text();
  expect(response.status, body).toBe(200);
  const events = eventsIn(body);
  const last = events.at(-1);
  if (last?.type !== 'error') throw new Error(`it did not end early: ${body}`);
  expect(last.problem.requestId).toBeTruthy();
  return [
    events.map((event) => (event.type === 'delta' ? event.text : '')).join(''),
    last.problem.code,
  ];
}

async function usageOf(by: Client, path = PATH): Promise<TokenUsage> {
  return (await by.get(`${path}/usage`)).json<TokenUsage>();
}

/** What is held back for the question while it is answered. */
const HELD = SECRET.length + 16 + MAX_TOKENS;
/** What it is taken for where the model does not say. */
const ESTIMATE = Math.ceil(SECRET.length / 4);

describe('an answer', () => {
  test('comes piece by piece, and at its end with what it took', async () => {
    const { statusCode, headers, body } = await post();
    expect(statusCode).toBe(200);
    expect(headers['content-type']).toBe('text/event-stream; charset=utf-8');
    expect(eventsIn(body)).toEqual([
      { type: 'delta', text: 'Hello' },
      { type: 'delta', text: ' there' },
      {
        type: 'done',
        finishReason: 'stop',
        usage: { promptTokens: PROMPT_TOKENS, completionTokens: 2, isEstimate: false },
      },
    ]);
    expect(model.calls).toHaveLength(1);
    const [call] = model.calls;
    expect(call?.url).toBe('/v1/chat/completions');
    expect(call?.headers.authorization).toBe(`Bearer ${KEY}`);
    expect(call?.body).toEqual({
      ...QUESTION,
      model: 'a-model',
      max_tokens: MAX_TOKENS,
      stream: true,
      stream_options: { include_usage: true },
    });
  });

  test('is one of JSON for those who want that', async () => {
    const response = await postForJson();
    expect(response.headers['content-type']).toContain(JSON_TYPE);
    expect(Answer.parse(response.json())).toEqual({
      text: 'Hello there',
      finishReason: 'stop',
      usage: { promptTokens: PROMPT_TOKENS, completionTokens: 2, isEstimate: false },
    });
  });

  test('is handed over before the model goes on', async () => {
    model.speech = silentAfter(piece('Hello'));
    const response = await open();
    const reader = (response.body ?? new ReadableStream()).getReader();
    let text = '';
    while (!text.includes('event: delta')) {
      const { value, done } = await reader.read();
      if (done) throw new Error(`it ended after ${text}`);
      text += Buffer.from(value).toString();
    }
    await reader.cancel();
  });

  test('is put together wherever its bytes were cut', async () => {
    const bytes = Buffer.from(piece('Grüße 🙂') + finish('length') + usage(1, 2) + END);
    model.speech = async (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      for (const byte of bytes) {
        // On its way before the next one is written, so that they come apart.
        await new Promise((written) => response.write(Buffer.of(byte), written));
      }
      response.end();
    };
    expect(eventsIn((await post()).body)).toEqual([
      { type: 'delta', text: 'Grüße 🙂' },
      expect.objectContaining({ type: 'done', finishReason: 'length' }),
    ]);
  });

  test('may be short, but not longer than the server allows', async () => {
    await post(patient, { ...QUESTION, maxTokens: 7 });
    await post(patient, { ...QUESTION, maxTokens: MAX_TOKENS + 1 });
    expect(model.calls.map(({ body }) => body.max_tokens)).toEqual([7, MAX_TOKENS]);
  });

  test('shows that a model thinks, and not what', async () => {
    model.speech = ending(thought('hmm') + piece('Yes') + finish() + END);
    const { body } = await post();
    expect(body).not.toContain('hmm');
    expect(body.match(/^: heartbeat$/gm)).toHaveLength(2);
    expect(eventsIn(body).map(({ type }) => type)).toEqual(['delta', 'done']);
  });

  test('has none of its comments, which are no tokens', async () => {
    const text = `: still there\n\n${piece('Yes')}: still there\n\n${finish()}${END}`;
    const read = [];
    for await (const one of readAnswer(ReadableStream.from([Buffer.from(text)]))) read.push(one);
    expect(read).toMatchObject([{ type: 'delta' }, { type: 'done' }]);
  });

  test.each([
    ['stop', 'stop'],
    ['content_filter', 'content_filter'],
    ['eos_token', 'other'],
  ])('that ends by %s says %s', async (told, said) => {
    model.speech = ending(piece('Yes') + finish(told) + END);
    expect(eventsIn((await post()).body).at(-1)).toMatchObject({ finishReason: said });
  });

  test('of a model that does not say what it took is estimated', async () => {
    model.speech = ending(piece('12345678') + piece('9') + finish() + END);
    expect(eventsIn((await post()).body).at(-1)).toMatchObject({
      usage: { promptTokens: Math.ceil(SECRET.length / 4), completionTokens: 3, isEstimate: true },
    });
  });

  test.each([
    { messages: [] },
    { messages: Array(101).fill(QUESTION.messages[0]) },
    { messages: [{ role: 'user', content: 'x'.repeat(100_001) }] },
    { messages: [{ role: 'tool', content: 'x' }] },
    { ...QUESTION, maxTokens: 0 },
    { ...QUESTION, model: 'another' },
  ])('is not given to what has another form', async (body) => {
    expect((await post(patient, body)).statusCode).toBe(400);
    expect(model.calls).toEqual([]);
  });
});

/** On a busy machine the time may be over before the model was called. */
async function untilHungUp(): Promise<void> {
  await expect.poll(() => model.calls.filter(({ abandoned }) => !abandoned)).toEqual([]);
}

describe('before the first token', () => {
  const soon = new Date(Date.now() + 600_000).toUTCString();
  test.each([
    ['has too much to do', refusing(429, {}, { 'retry-after': '7' }), 'generate_overloaded', '7'],
    [
      'names a date',
      refusing(429, {}, { 'retry-after': soon }),
      'generate_overloaded',
      /^[1-5]?\d\d$/,
    ],
    ['starts', refusing(503), 'generate_overloaded', '1'],
    ['fails', refusing(500), 'generate_failed', '1'],
    ['is behind a proxy that fails', refusing(502), 'generate_unreachable', '1'],
    ['refuses the key', refusing(401), 'generate_misconfigured', '60'],
    ['is another one', refusing(404), 'generate_misconfigured', '60'],
    ['does not stream', refusing(200, { choices: [] }), 'generate_bad_answer', '1'],
    ['sends garbage', ending('data: {"choices": [\n\n'), 'generate_bad_answer', '1'],
    ['says nothing at all', ending(''), 'generate_unreachable', '1'],
    ['hangs up', dropping, 'generate_unreachable', '1'],
  ])('a model that %s is a problem', async (_name, speech, code, after) => {
    model.speech = speech;
    for (const response of [await post(), await postForJson()]) {
      expect(response.statusCode).toBe(503);
      expect(response.headers['content-type']).toContain('application/problem+json');
      expect(response.headers['retry-after']).toMatch(after);
      expect(response.json().code).toBe(code);
    }
    // Whatever has reached the model is not sent again: its provider would want to be paid twice.
    expect(model.calls).toHaveLength(2);
  });

  test('a model that is not there is looked for a second time', async () => {
    const absent = new FakeModel();
    await absent.start();
    const at = await start({
      GENERATE_URL: absent.url,
      GENERATE_BREAKER_FAILURES: '2',
      GENERATE_BREAKER_OPEN_MS: '600000',
    });
    await absent.kill();
    // Each attempt is a fault: the first question has made two of them.
    for (const code of ['generate_unreachable', 'generate_circuit_open']) {
      expect((await post(at)).json().code).toBe(code);
    }
    await at.test.close();
  });

  test.each([
    ['does not answer', frozen],
    ['begins and says nothing', silentAfter('')],
    ['sends comments alone', commenting],
  ])('a model that %s is not waited for', async (_name, speech) => {
    model.speech = speech;
    const response = await open({ at: forFirst });
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ code: 'generate_timeout' });
    await untilHungUp();
  });

  test('what the model does not take is the caller’s to mend', async () => {
    model.speech = refusing(400, { error: { message: 'The prompt is too long' } });
    const response = await post();
    expect(response.statusCode).toBe(422);
    expect(response.json()).toMatchObject({
      code: 'generate_refused',
      detail: 'The prompt is too long',
    });
    // The settings may be at fault, too.
    const { requestId } = response.json();
    expect(patient.test.logs).toContainEqual(
      expect.objectContaining({
        reqId: requestId,
        level: 40,
        code: 'generate_refused',
        status: 400,
      }),
    );
  });

  test('more answers than allowed are refused at once', async () => {
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    model.speech = async (response, body) => {
      await released;
      saying('Hello')(response, body);
    };
    const waiting = [post(), post()];
    await expect.poll(() => model.calls.length).toBe(2);
    expect((await post()).json().code).toBe('generate_busy');
    release();
    for (const { statusCode } of await Promise.all(waiting)) expect(statusCode).toBe(200);
  });
});

function commenting(response: Parameters<typeof frozen>[0]) {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const timer = setInterval(() => response.write(': still there\n\n'), 20);
  response.once('close', () => clearInterval(timer));
}

describe('after the first token', () => {
  const one = piece('Hello');
  test.each([
    ['that breaks off', breaking(one), 'generate_unreachable'],
    ['that has no end', ending(one), 'generate_unreachable'],
    ['that becomes garbage', ending(`${one}data: {"choices": [\n\n`), 'generate_bad_answer'],
    ['of another form', ending(one + wire({ choices: 'none' })), 'generate_bad_answer'],
    ['of one endless event', ending(`${one}data: ${'x'.repeat(2 ** 21)}`), 'generate_bad_answer'],
    ['that is an error', ending(one + wire({ error: { message: SECRET } })), 'generate_failed'],
  ])('an answer %s ends with an error', async (_name, speech, code) => {
    model.speech = speech;
    expect(await ended()).toEqual(['Hello', code]);
    expect((await postForJson()).json()).toMatchObject({ status: 503, code });
    expect(model.calls).toHaveLength(2);
  });

  test('a model that falls silent is not waited for', async () => {
    model.speech = silentAfter(one);
    expect(await ended(forNext)).toEqual(['Hello', 'generate_timeout']);
    await expect.poll(() => model.calls[0]?.abandoned).toBe(true);
  });

  test('an answer that goes on and on is ended', async () => {
    model.speech = endless;
    const body = await (await open({ at: forAll })).text();
    expect(body).toContain('"code":"generate_timeout"');
    await untilHungUp();
  });
});

describe('whoever asked and goes away', () => {
  test('stops the model in the middle of its answer, and pays for what there was', async () => {
    // Of an organization that has asked nothing else, which might be settled meanwhile.
    const { client, path } = await signUpOwner(patient.test.app, 'leaver');
    const answers = `${path}/generate`;
    const tokens = async () => (await usageOf(client, answers)).tokens;
    model.speech = silentAfter(piece('Hello'));
    const controller = new AbortController();
    const response = await open({ by: client, path: answers, signal: controller.signal });
    expect(await tokens()).toBe(HELD);
    const reader = (response.body ?? new ReadableStream()).getReader();
    let text = '';
    while (!text.includes('event: delta')) text += Buffer.from((await reader.read()).value);
    controller.abort();
    await expect.poll(() => model.calls[0]?.abandoned).toBe(true);
    await expect.poll(tokens).toBe(ESTIMATE + 2);
    model.speech = saying('Hello');
    expect((await post()).statusCode).toBe(200);
  });

  test.each(['*/*', JSON_TYPE])('stops it before it has begun (%s)', async (accept) => {
    model.speech = frozen;
    const controller = new AbortController();
    const asking = open({ accept, signal: controller.signal });
    await expect.poll(() => model.calls.length).toBe(1);
    controller.abort();
    await expect(asking).rejects.toThrow();
    await expect.poll(() => model.calls[0]?.abandoned).toBe(true);
  });
});

test('faults open the circuit, and it closes by itself', async () => {
  const env = { GENERATE_BREAKER_FAILURES: '3', GENERATE_BREAKER_OPEN_MS: '1000' };
  const at = await start(env);
  model.speech = refusing(500);
  const ask = async () => {
    const before = model.calls.length;
    const { code } = (await post(at)).json();
    return [code, model.calls.length - before];
  };
  for (let call = 0; call < 3; call++) expect(await ask()).toEqual(['generate_failed', 1]);
  // On a busy machine it may have closed again by the time of the next question: the model fails that, too.
  await expect.poll(ask).toEqual(['generate_circuit_open', 0]);
  model.speech = saying('Hello');
  await expect.poll(async () => (await post(at)).statusCode).toBe(200);
  await at.test.close();
});

test('a server that stops lets an answer come to its end', async () => {
  const at = await start();
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  model.speech = async (response, body) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write(piece('Hello'));
    await released;
    response.end(piece(' there') + finish() + END);
    expect(body.model).toBe('a-model');
  };
  const response = await open({ at });
  const closing = at.test.close();
  release();
  expect(eventsIn(await response.text()).at(-1)?.type).toBe('done');
  await closing;
});

test('no word of a question, of an answer or of the key stands in the log', async () => {
  // Short, since JSON's error quotes a few characters around what it cannot read.
  const said = 'Sesame';
  const broken = `${piece(said)}data: {"choices": ${said}\n\n`;
  const wordy = { error: { message: `${KEY} ${SECRET}` } };
  const speeches = [
    saying(said),
    ending(broken),
    ending(piece(said) + wire(wordy)),
    refusing(401, wordy),
    refusing(500, wordy),
    refusing(400, wordy),
    breaking(piece(said)),
    dropping,
  ];
  for (const speech of speeches) {
    model.speech = speech;
    await post();
    await postForJson();
  }
  const lines = patient.test.logs.map((line) => JSON.stringify(line));
  expect(lines.filter((line) => line.includes('generate_failed'))).not.toEqual([]);
  for (const secret of [said, SECRET, KEY]) {
    expect(lines.filter((line) => line.includes(secret))).toEqual([]);
  }
});

describe('tokens', () => {
  let at: Running;
  const tokens = async () => (await usageOf(at.owner)).tokens;

  beforeAll(async () => {
    at = await start({ GENERATE_MONTHLY_TOKENS: String(LIMIT), GENERATE_MAX_CONCURRENCY: '100' });
    return () => at.test.close();
  });
  beforeEach(() => at.test.database.db.execute(sql`truncate ml_usage`));

  test('are counted for each organization, as the model says', async () => {
    await post(at);
    await postForJson(at);
    const other = await signUpOwner(at.test.app, 'other');
    await expect.poll(tokens).toBe(2 * (PROMPT_TOKENS + 2));
    expect(await usageOf(at.owner)).toEqual({
      month: new Date().toISOString().slice(0, 7),
      tokens: 2 * (PROMPT_TOKENS + 2),
      limit: LIMIT,
      endsAt: expect.stringMatching(/^\d{4}-\d\d-01T00:00:00\.000Z$/),
      earlier: [],
    });
    expect(await usageOf(other.client, `${other.path}/generate`)).toMatchObject({ tokens: 0 });
    const predictions = await at.owner.get('/api/v1/organizations/acme/predictions/usage');
    expect(predictions.json()).toMatchObject({ predictions: 0 });
  });

  test('are not, where there was no answer, and are estimated where it was cut off', async () => {
    for (const speech of [refusing(500), refusing(400), dropping]) {
      model.speech = speech;
      await post(at);
    }
    model.speech = breaking(piece('Hello'));
    expect((await postForJson(at)).statusCode).toBe(503);
    await expect.poll(tokens).toBe(0);
    await ended(at);
    await expect.poll(tokens).toBe(ESTIMATE + 2);
  });

  test('that are used up are refused, also to those who come at once', async () => {
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    model.speech = async (response) => {
      await released;
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end(piece('x') + finish() + usage(HELD, 0) + END);
    };
    const fit = Math.floor(LIMIT / HELD);
    const asked = Array.from({ length: fit + 3 }, () => post(at));
    await expect.poll(() => model.calls.length).toBe(fit);
    const refused = await post(at);
    expect(refused.statusCode).toBe(429);
    expect(refused.json()).toMatchObject({ code: 'token_quota_exceeded' });
    expect(refused.json().detail).toMatch(/^Of 1000 tokens a month \d+ are left until /);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    release();
    const codes = (await Promise.all(asked)).map(({ statusCode }) => statusCode).toSorted();
    expect(codes).toEqual([...Array(fit).fill(200), 429, 429, 429]);
    await expect.poll(tokens).toBe(fit * HELD);
    expect(model.calls).toHaveLength(fit);
  });
});

describe('it is for', () => {
  test('members, and not for viewers, who see what was used', async () => {
    const payload = QUESTION;
    const anonymous = await patient.test.app.inject({ method: 'POST', url: PATH, payload });
    expect(anonymous.statusCode).toBe(401);
    const viewer = await addMember(patient.test, owner, 'viewer@example.com', 'viewer');
    expect((await viewer.post(PATH, QUESTION)).statusCode).toBe(403);
    expect((await viewer.get(`${PATH}/usage`)).statusCode).toBe(200);
    expect(model.calls).toEqual([]);
  });

  test('keys with its scope', async () => {
    const path = '/api/v1/organizations/acme';
    for (const [scope, status] of [
      ['answer:create', 200],
      ['prediction:create', 403],
    ] as const) {
      const key = await makeKey(owner, path, { scopes: [scope] });
      const response = await askWith(patient.test.app, key, PATH, {
        method: 'POST',
        payload: QUESTION,
      });
      expect([scope, response.statusCode]).toEqual([scope, status]);
    }
  });
});

test.each([{}, { GENERATE_URL: 'http://127.0.0.1:9/v1' }])(
  'with %j alone it is switched off',
  async (env) => {
    const off = await startApp({ env });
    const { client } = await signUpOwner(off.app, 'acme');
    for (const response of [await client.post(PATH, QUESTION), await client.get(`${PATH}/usage`)]) {
      expect(response.statusCode).toBe(404);
      expect(response.json()).toMatchObject({
        code: 'switched_off',
        detail: 'This is there where GENERATE_URL and GENERATE_MODEL are set',
      });
    }
    await off.close();
  },
);

test.each([
  ['GENERATE_URL', `https://user:${KEY}@example.com/v1`],
  ['GENERATE_URL', 'ftp://example.com'],
  ['GENERATE_API_KEY', `${KEY}\n`],
])('%s is refused where it would end up in the log', (name, value) => {
  expect(() => loadConfig({ [name]: value }, modules)).toThrow(name);
  expect(() => loadConfig({ [name]: value }, modules)).not.toThrow(KEY);
});
