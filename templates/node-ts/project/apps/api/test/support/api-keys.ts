import type { ApiKeyWithSecret } from '@app/contracts';
import type { InjectOptions } from 'fastify';
import type { App } from '../../src/http/app.ts';
import type { Client } from './app.ts';
import { READ_NOTES } from './notes.ts';

export interface NewKey {
  readonly name?: string;
  readonly scopes?: readonly string[];
  readonly expiresInDays?: number;
}

/** Makes a key in the organization that `path` leads to, as the client's user. */
export async function makeKey(
  client: Client,
  path: string,
  { name = crypto.randomUUID(), scopes = [READ_NOTES], ...rest }: NewKey = {},
): Promise<ApiKeyWithSecret> {
  const response = await client.post(`${path}/api-keys`, { name, scopes, ...rest });
  if (response.statusCode !== 201) throw new Error(`no key: ${response.body}`);
  return response.json();
}

export async function rotateKey(
  client: Client,
  path: string,
  { id }: { readonly id: string },
  rotation: object = {},
): Promise<ApiKeyWithSecret> {
  const response = await client.post(`${path}/api-keys/${id}/rotate`, rotation);
  if (response.statusCode !== 200) throw new Error(`not rotated: ${response.body}`);
  return response.json();
}

/** A request as a program sends it: a key, and neither cookies nor an origin. */
export function askWith(
  app: App,
  { secret }: { readonly secret: string },
  url: string,
  options: InjectOptions = {},
) {
  const headers = { authorization: `Bearer ${secret}`, ...options.headers };
  return app.inject({ url, ...options, headers });
}
