import { EventEmitter, once } from 'node:events';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { InjectOptions } from 'fastify';
import { buildApp } from '../../src/app.ts';
import { loadConfig } from '../../src/config.ts';
import type { Database } from '../../src/db/database.ts';
import type { App } from '../../src/http/app.ts';
import type { Mail, Mailer } from '../../src/mail/mailer.ts';
import type { Metrics } from '../../src/metrics/metrics.ts';
import type { AppModule } from '../../src/module.ts';
import { modules } from '../../src/modules/index.ts';
import { copyDatabase } from './database.ts';

export const ORIGIN = 'http://localhost:3000';
export const PASSWORD = 'correct horse battery staple';

export interface TestApp {
  readonly app: App;
  readonly database: Database;
  /** Every mail that was sent, oldest first: see `mailTo`. */
  readonly mails: Mail[];
  /** The oldest mail to that address that was not asked for yet. Lets jobs run, and waits for it. */
  mailTo(address: string, subject?: string): Promise<Mail>;
  /** Where it keeps files, unless it was told otherwise. */
  readonly filesDir: string;
  /** Every log line, parsed. */
  readonly logs: Record<string, unknown>[];
  close(): Promise<void>;
}

export interface TestAppOptions {
  readonly env?: Record<string, string>;
  /** Beside the application's, or instead of the one of that name. */
  readonly extraModules?: readonly AppModule[];
  readonly database?: Database;
  /** Instead of the one that keeps the mails. */
  readonly mailer?: Mailer;
  readonly metrics?: Metrics;
}

/** The real application with a database of its own; mail and log lines are kept to look at. */
export async function startApp(options: TestAppOptions = {}): Promise<TestApp> {
  const extra = options.extraModules ?? [];
  const names = extra.map(({ name }) => name);
  const all = [...modules.filter(({ name }) => !names.includes(name)), ...extra];
  const filesDir = join(tmpdir(), `api-test-files-${crypto.randomUUID()}`);
  const env = {
    NODE_ENV: 'test',
    // The machine may be busy with other things than this application.
    OVERLOAD_EVENT_LOOP_DELAY_MS: '0',
    // Closing waits for connections, which clients keep for as long as the server says.
    KEEP_ALIVE_TIMEOUT_MS: '1000',
    RATE_LIMIT_MAX: '100000',
    AUTH_RATE_LIMIT_MAX: '100000',
    ACCOUNT_RATE_LIMIT_MAX: '100000',
    ACCOUNT_MAIL_LIMIT_MAX: '100000',
    FILES_DIR: filesDir,
    ...options.env,
  };
  const database = options.database ?? (await copyDatabase());
  const kept = new KeptMails();
  const logs: Record<string, unknown>[] = [];
  const app = await buildApp({
    config: loadConfig(env, all),
    database,
    modules: all,
    mailer: options.mailer ?? kept,
    ...(options.metrics && { metrics: options.metrics }),
    logStream: { write: (line) => void logs.push(JSON.parse(line)) },
  });
  await app.ready();
  const mailTo: TestApp['mailTo'] = (address, subject) => {
    void app.jobs.start();
    return kept.to(address, subject);
  };
  const close = async () => {
    await app.close();
    await database.close();
    await rm(filesDir, { recursive: true, force: true });
  };
  return { app, database, mails: kept.mails, mailTo, filesDir, logs, close };
}

class KeptMails implements Mailer {
  readonly mails: Mail[] = [];
  readonly #taken = new Set<Mail>();
  readonly #arrivals = new EventEmitter();

  async send(mail: Mail): Promise<void> {
    this.mails.push(mail);
    this.#arrivals.emit('mail');
  }

  readonly to = async (address: string, subject?: string): Promise<Mail> => {
    for (;;) {
      const mail = this.mails.find(
        (each) =>
          !this.#taken.has(each) &&
          each.to === address &&
          (subject === undefined || each.subject === subject),
      );
      if (mail) {
        this.#taken.add(mail);
        return mail;
      }
      await once(this.#arrivals, 'mail', { signal: AbortSignal.timeout(60_000) });
    }
  };
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

/** A new person with a new organization, of which they are the owner; `path` leads to what it has. */
export async function signUpOwner(app: App, slug: string) {
  const client = await signUp(app, `${slug}@example.com`);
  const response = await client.post('/api/auth/organization/create', { name: slug, slug });
  if (response.statusCode !== 200) throw new Error(`no organization: ${response.body}`);
  const organizationId = response.json<{ id: string }>().id;
  return { client, organizationId, path: `/api/v1/organizations/${slug}` };
}

/** Opens the link in the mail that asks for it. */
export async function confirmAddress(test: TestApp, client: Client, email: string): Promise<void> {
  const mail = await test.mailTo(email, 'Confirm your e-mail address');
  const response = await client.get(linkIn(mail));
  if (response.statusCode !== 302) throw new Error(`not confirmed: ${response.body}`);
}

/** Path and query of the address that a mail holds. */
export function linkIn(mail: Mail): string {
  const { pathname, search } = new URL(/http\S+/.exec(mail.text)?.[0] ?? '');
  return pathname + search;
}

/** Invites somebody through the owner's client; what the mail's link has them send in the end. */
export async function invite(
  test: TestApp,
  owner: Client,
  invitation: { readonly email: string; readonly role: string; readonly organizationId?: string },
): Promise<{ invitationId: string }> {
  const invited = await owner.post('/api/auth/organization/invite-member', invitation);
  if (invited.statusCode !== 200) throw new Error(`not invited: ${invited.body}`);
  const { id } = invited.json<{ id: string }>();
  const names = (each: Mail) => each.text.includes(`?id=${id}`);
  for (;;) if (names(await test.mailTo(invitation.email))) return { invitationId: id };
}

/** Invites somebody through the owner's client, and lets them accept. */
export async function addMember(
  test: TestApp,
  owner: Client,
  email: string,
  role: string,
): Promise<Client> {
  const body = await invite(test, owner, { email, role });
  const member = await signUp(test.app, email);
  const accepted = await member.post('/api/auth/organization/accept-invitation', body);
  if (accepted.statusCode !== 200) throw new Error(`not accepted: ${accepted.body}`);
  return member;
}
