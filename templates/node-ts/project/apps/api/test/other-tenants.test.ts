import type { InjectOptions } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import openapi from '../openapi.json' with { type: 'json' };
import { SCOPES } from '../src/modules/api-keys/scopes.ts';
import { askWith, makeKey } from './support/api-keys.ts';
import {
  addMember,
  type Client,
  invite,
  signUpOwner,
  startApp,
  type TestApp,
} from './support/app.ts';
import { exampleOf, type Schema } from './support/example-of.ts';
import { READ_NOTES } from './support/notes.ts';

/** What red has and blue must never see. None of it is sent by blue. */
const SECRET = 'known-to-red';
const ORGANIZATION = '{organization}';
const JSON_TYPE = 'application/json';
/** Where no module is, the document does not say what they could be for. */
const API_KEYS = `/api/v1/organizations/${ORGANIZATION}/api-keys`;
/** What keys are told where only people may ask. */
const REFUSED = ['session_required'];

interface Operation {
  readonly operationId: string;
  readonly security?: readonly object[];
  readonly parameters?: readonly { name: string; in: string; required?: boolean; schema: Schema }[];
  readonly responses?: Record<number, { content?: Record<string, unknown> }>;
  readonly requestBody?: { content: Record<string, { schema: Schema }> };
}
type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';

const operations = Object.entries(openapi.paths as unknown as Record<string, object>).flatMap(
  ([path, methods]) =>
    Object.entries(methods as Record<string, Operation>).map(([method, operation]) => ({
      path,
      method: method.toUpperCase() as Method,
      operation,
      name: operation.operationId,
    })),
);
type Route = (typeof operations)[number];

const ofOrganizations = operations.filter(({ path }) => path.includes(ORGANIZATION));
const ofRows = ofOrganizations.filter(({ path }) => path.includes('/{id}'));
const ofAccounts = operations.filter(
  ({ path, operation }) => path.startsWith('/api/auth/') && fieldsOf(operation).some(isRedId),
);

let test: TestApp;
let red: Awaited<ReturnType<typeof signUpOwner>>;
let blue: Awaited<ReturnType<typeof signUpOwner>>;
/** A key of blue's that is for everything. */
let key: { secret: string };
/** Red's ids, by the names under which routes ask for them. */
let ids: Record<string, string>;
/** Rows of red's, by the path of their list. */
const rows = new Map<string, string>();

beforeAll(async () => {
  test = await startApp();
  [red, blue] = [await signUpOwner(test.app, 'red'), await signUpOwner(test.app, 'blue')];
  await addMember(test, red.client, `${SECRET}@example.com`, 'member');
  const invited = { email: `invited-${SECRET}@example.com`, role: 'viewer' };
  const { invitationId } = await invite(test, red.client, invited);
  const { members } = await full<{ members: { id: string; role: string }[] }>();
  const memberId = members.find(({ role }) => role === 'member')?.id ?? '';
  ids = { organizationId: red.organizationId, invitationId, memberId, memberIdOrEmail: memberId };
  for (const { path } of ofRows) {
    const list = listOf(path);
    const create = ofOrganizations.find((each) => each.path === list && each.method === 'POST');
    if (create === undefined || rows.has(list)) continue;
    const response = await send(red.client, create, { [ORGANIZATION]: 'red' });
    // Some need more than a database to be created.
    if (response.statusCode === 201) rows.set(list, response.json<{ id: string }>().id);
  }
  key = await makeKey(blue.client, blue.path, { scopes: [READ_NOTES, ...SCOPES] });
  if (!rows.has(API_KEYS)) rows.set(API_KEYS, (await makeKey(red.client, red.path)).id);
});
afterAll(() => test.close());

/** The list that a row is in. */
function listOf(path: string): string {
  return path.split('/{id}')[0] ?? '';
}

async function full<Whole>(): Promise<Whole> {
  return (await red.client.get('/api/auth/organization/get-full-organization')).json<Whole>();
}

/** Everything that red has. */
async function everything(): Promise<string> {
  const lists = [...rows.keys()].map((list) => red.client.get(list.replace(ORGANIZATION, 'red')));
  const bodies = (await Promise.all(lists)).map((response) => response.json());
  return JSON.stringify([await full(), bodies]);
}

function fieldsOf({ parameters = [], requestBody }: Operation): string[] {
  const body = requestBody?.content[JSON_TYPE]?.schema;
  return [
    ...parameters.map(({ name }) => name),
    ...Object.keys(exampleOf(openapi, body, SECRET, () => '') ?? {}),
  ];
}

function isRedId(name: string): boolean {
  return ['organizationId', 'invitationId', 'memberId', 'memberIdOrEmail'].includes(name);
}

/** With everything that the document asks for, `places` for what stands in the path, and red's ids. */
function send(
  client: Pick<Client, 'send'>,
  { path, method, operation }: Route,
  places: Record<string, string>,
  options: InjectOptions = {},
) {
  const url = Object.entries(places).reduce((text, [place, id]) => text.replace(place, id), path);
  const query = (operation.parameters ?? [])
    .filter(({ name, required, ...each }) => each.in === 'query' && (required || isRedId(name)))
    .map(({ name }): [string, string] => [name, ids[name] ?? SECRET]);
  const { content = {} } = operation.requestBody ?? {};
  const [type] = Object.keys(content);
  // Where it is no JSON, bytes are taken.
  const payload =
    type === undefined || type === JSON_TYPE
      ? exampleOf(openapi, content[JSON_TYPE]?.schema, SECRET, (name) => ids?.[name])
      : SECRET;
  return client.send(method, `${url}?${new URLSearchParams(query)}`, {
    headers: { 'if-match': '*', ...(type !== undefined && { 'content-type': type }) },
    ...(payload !== undefined && { payload }),
    ...options,
  });
}

/** One that answers, and does not end. */
function isStream({ operation }: Route): boolean {
  return operation.responses?.[200]?.content?.['text/event-stream'] !== undefined;
}

describe('to somebody of another organization', () => {
  it('rows are there to look for', () => {
    expect(rows.size > 0).toBe(ofRows.length > 0);
    expect(ofAccounts.length).toBeGreaterThan(5);
  });

  it.each(ofOrganizations)('$name answers that there is no such organization', async (route) => {
    const before = await everything();
    for (const organization of ['red', red.organizationId]) {
      const id = rows.get(listOf(route.path)) ?? crypto.randomUUID();
      const places = { [ORGANIZATION]: organization, '{id}': id };
      const response = await send(blue.client, route, places);
      expect(response.statusCode, response.body).toBe(404);
      expect(response.json().code).toMatch(/^(organization_not_found|switched_off)$/);
    }
    expect(await everything()).toBe(before);
  });

  it.each(ofRows)('$name finds no row of another organization in their own', async (route) => {
    const id = rows.get(listOf(route.path));
    if (id === undefined) return;
    const before = await everything();
    const places = { [ORGANIZATION]: 'blue', '{id}': id };
    const response = await send(blue.client, route, places);
    expect(response.statusCode, response.body).toBe(404);
    expect(response.json().code).toMatch(/_not_found$/);
    expect(await everything()).toBe(before);
    // It was the row that was asked for: to its own people it is there.
    if (route.method !== 'GET') return;
    const theirs = await send(red.client, route, { ...places, [ORGANIZATION]: 'red' });
    expect(theirs.statusCode, theirs.body).toBe(200);
  });

  it.each(ofAccounts)('$name tells nothing and changes nothing', async (route) => {
    const before = await everything();
    const response = await send(blue.client, route, {});
    expect(response.statusCode, response.body).toBeGreaterThanOrEqual(400);
    expect(response.statusCode, response.body).toBeLessThan(500);
    // Refused for what it asks, and not for how.
    expect(response.json().code).not.toBe('invalid_request');
    expect(response.body).not.toContain(SECRET);
    expect(await everything()).toBe(before);
  });
});

describe('a key', () => {
  const program: Pick<Client, 'send'> = {
    send: (method, url, options) => askWith(test.app, key, url, { method, ...options }),
  };
  const takesKeys = ({ operation }: Route) =>
    operation.security?.some((each) => 'apiKey' in each) ?? false;

  it.each(ofOrganizations)('at $name leads to no other organization', async (route) => {
    const before = await everything();
    for (const organization of ['red', red.organizationId]) {
      const id = rows.get(listOf(route.path)) ?? crypto.randomUUID();
      const response = await send(program, route, { [ORGANIZATION]: organization, '{id}': id });
      const { code } = response.json();
      const codes = takesKeys(route) ? ['organization_not_found', 'switched_off'] : REFUSED;
      expect(codes).toContain(code);
      expect(response.body).not.toContain(SECRET);
    }
    expect(await everything()).toBe(before);
  });

  it.each(operations)('is taken at $name if the document says so', async (route) => {
    const { security } = route.operation;
    // Nobody is asked who they are.
    if (security === undefined || security.length === 0) return;
    const places = { [ORGANIZATION]: 'blue', '{id}': crypto.randomUUID() };
    const response = await send(program, route, places, { payloadAsStream: isStream(route) });
    if (takesKeys(route)) expect([401, 403], response.body).not.toContain(response.statusCode);
    else expect(response.statusCode, response.body).toBeGreaterThanOrEqual(400);
  });
});
