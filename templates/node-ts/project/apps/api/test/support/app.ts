import type { InjectOptions } from 'fastify';
import { buildApp } from '../../src/app.ts';
import { loadConfig } from '../../src/config.ts';
import type { Database } from '../../src/db/database.ts';
import type { App } from '../../src/http/app.ts';
import type { Mail } from '../../src/mail/mailer.ts';
import type { AppModule } from '../../src/module.ts';
import { modules } from '../../src/modules/index.ts';
import { copyDatabase } from './database.ts';

export const ORIGIN = 'http://localhost:3000';
export const PASSWORD = 'correct horse battery staple';

export interface TestApp {
  readonly app: App;
  readonly database: Database;
  /** Every mail that was sent, oldest first. */
  readonly mails: Mail[];
  /** Every log line, parsed. */
  readonly logs: Record<string, unknown>[];
  close(): Promise<void>;
}

export interface TestAppOptions {
  readonly env?: Record<string, string>;
  readonly extraModules?: readonly AppModule[];
  readonly database?: Database;
}

/** The real application with a database of its own; mail and log lines are kept to look at. */
export async function startApp(options: TestAppOptions = {}): Promise<TestApp> {
  const all = [...modules, ...(options.extraModules ?? [])];
  const env = {
    NODE_ENV: 'test',
    RATE_LIMIT_MAX: '100000',
    AUTH_RATE_LIMIT_MAX: '100000',
    ...options.env,
  };
  const database = options.database ?? (await copyDatabase());
  const mails: Mail[] = [];
  const logs: Record<string, unknown>[] = [];
  const app = await buildApp({
    config: loadConfig(env, all),
    database,
    modules: all,
    mailer: { send: async (mail) => void mails.push(mail) },
    logStream: { write: (line) => void logs.push(JSON.parse(line)) },
  });
  await app.ready();
  const close = async () => {
    await app.close();
    await database.close();
  };
  return { app, database, mails, logs, close };
}

/** A browser that has signed in: it keeps its cookies and names its origin. */
export class Client {
  readonly #app: App;
  readonly #cookies = new Map<string, string>();

  constructor(app: App) {
    this.#app = app;
  }

  async send(
    method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
    url: string,
    options: InjectOptions = {},
  ) {
    const response = await this.#app.inject({
      method,
      url,
      ...options,
      headers: { origin: ORIGIN, cookie: this.cookie, ...options.headers },
    });
    for (const { name, value } of response.cookies) this.#cookies.set(name, value);
    return response;
  }

  get cookie(): string {
    return [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  }

  async post(url: string, payload: object) {
    return this.send('POST', url, { payload });
  }

  async get(url: string) {
    return this.send('GET', url);
  }
}

export async function signUp(app: App, email: string): Promise<Client> {
  const client = new Client(app);
  const name = email.split('@')[0];
  const response = await client.post('/api/auth/sign-up/email', {
    email,
    name,
    password: PASSWORD,
  });
  if (response.statusCode !== 200) throw new Error(`sign-up failed: ${response.body}`);
  return client;
}

/** A new person with a new organization, of which they are the owner. */
export async function signUpOwner(app: App, slug: string) {
  const client = await signUp(app, `${slug}@example.com`);
  const response = await client.post('/api/auth/organization/create', { name: slug, slug });
  if (response.statusCode !== 200) throw new Error(`no organization: ${response.body}`);
  return { client, organizationId: response.json<{ id: string }>().id };
}

/** Opens the link in the newest mail. */
export async function confirmAddress(client: Client, mails: readonly Mail[]): Promise<void> {
  const link = /http\S+/.exec(mails.at(-1)?.text ?? '')?.[0] ?? '';
  const { pathname, search } = new URL(link);
  const response = await client.get(pathname + search);
  if (response.statusCode !== 302) throw new Error(`not confirmed: ${response.body}`);
}

/** Invites somebody through the owner's client, and lets them accept. */
export async function addMember(
  { app, mails }: TestApp,
  owner: Client,
  email: string,
  role: string,
): Promise<Client> {
  const invited = await owner.post('/api/auth/organization/invite-member', { email, role });
  if (invited.statusCode !== 200) throw new Error(`not invited: ${invited.body}`);
  const invitationId = /invitation (\S+)/.exec(mails.at(-1)?.text ?? '')?.[1];
  const member = await signUp(app, email);
  const accepted = await member.post('/api/auth/organization/accept-invitation', { invitationId });
  if (accepted.statusCode !== 200) throw new Error(`not accepted: ${accepted.body}`);
  return member;
}
