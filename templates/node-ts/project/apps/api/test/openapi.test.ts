import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { exportOpenApi } from '../src/commands/export-openapi.ts';
import { startApp } from './support/app.ts';
import { unreachableDatabase } from './support/database.ts';

const committed = readFileSync(new URL('../openapi.json', import.meta.url), 'utf8');

interface Answer {
  description: string;
  headers?: Record<string, { $ref: string }>;
  content?: Record<string, object>;
}

interface Operation {
  operationId?: string;
  tags?: string[];
  security?: unknown[];
  responses: Record<string, Answer>;
}

describe('openapi.json', () => {
  const document = JSON.parse(committed);
  const paths = Object.entries<Record<string, Operation>>(document.paths);
  const operations = paths.flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      name: `${method} ${path}`,
      method: method.toUpperCase() as 'GET',
      path,
      operation,
    })),
  );

  it('is current: if not, run `npm run openapi` and commit it', async () => {
    expect(committed).toBe(await exportOpenApi());
    // Made twice in one process, as tests do.
    expect(committed).toBe(await exportOpenApi());
  });

  it('is OpenAPI 3.1 and refers to nothing that is not there', () => {
    expect(document.openapi).toMatch(/^3\.1\./);
    const names = Object.keys(document.components.schemas);
    const used = [...committed.matchAll(/#\/components\/schemas\/(\w+)/g)].map(([, name]) => name);
    expect(new Set(used)).toEqual(new Set(names));
  });

  it.each(operations.filter(({ name }) => name.includes('/api/')))(
    '$name has an id, a security requirement, and problems for its errors',
    ({ name, operation }) => {
      expect(operation.operationId).toBeTruthy();
      // Who is not signed in reaches the accounts alone.
      const needsNone = name.includes(' /api/auth/') && operation.security?.length === 0;
      const session = { session: [] };
      expect([[], [session], [session, { apiKey: [] }], [{ fileLink: [] }]]).toContainEqual(
        operation.security,
      );
      expect(operation.security?.length === 0).toBe(needsNone);
      const { responses } = operation;
      expect(Object.keys(responses)).toEqual(
        expect.arrayContaining(['400', '401', '403', 'default']),
      );
      for (const [status, response] of Object.entries(responses)) {
        expect(response.description).not.toBe('Default Response');
        if (status.startsWith('2')) continue;
        expect(Object.keys(response.content ?? {})).toEqual(['application/problem+json']);
      }
    },
  );

  it('tells of each route that turns callers away under load, and when they may come back', async () => {
    const database = { ...unreachableDatabase(), waiting: () => 1 };
    const { app, close } = await startApp({ database, env: { OVERLOAD_DATABASE_WAITING: '1' } });
    const turnedAway: string[] = [];
    for (const { method, path, name, operation } of operations) {
      if (operation.tags?.includes('health')) continue;
      const response = await app.inject({ method, url: path.replaceAll(/\{\w+\}/g, 'x') });
      expect([name, response.statusCode]).toEqual([name, 503]);
      expect(response.headers).toHaveProperty('retry-after');
      turnedAway.push(name);
    }
    await close();
    const told = operations.filter(
      ({ operation: { responses } }) =>
        responses[503]?.headers?.['retry-after']?.$ref === '#/components/headers/RetryAfter',
    );
    expect(turnedAway.length).toBeGreaterThan(0);
    expect(told.map(({ name }) => name)).toEqual(turnedAway);
    expect(document.components.headers).toHaveProperty('RetryAfter');
  });
});
