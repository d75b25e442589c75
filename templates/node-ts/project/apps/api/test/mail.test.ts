import { sql } from 'drizzle-orm';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { invitationMail, resetPasswordMail, verificationMail } from '../src/auth/mails.ts';
import type { Database } from '../src/db/database.ts';
import { LANGUAGES, languageOf } from '../src/mail/language.ts';
import { type Letter, write } from '../src/mail/letter.ts';
import { createMailer, type Mailer } from '../src/mail/mailer.ts';
import { postMail, sendWith } from '../src/mail/post.ts';
import { noMetrics } from '../src/metrics/metrics.ts';
import { listDeadLetters } from '../src/queue/dead-letters.ts';
import { copyDatabase } from './support/database.ts';
import { createWorker, keepLog, type LogLine } from './support/jobs.ts';
import { MailServer, SILENT } from './support/mail-server.ts';

const PATIENCE = { timeout: 60_000 };
const ADA = 'ada@example.com';
const LETTER: Letter = {
  language: 'en',
  subject: 'Hello',
  paragraphs: ['A message'],
  action: { label: 'Open', url: 'https://example.com/?a=1&b=2' },
};

let server: MailServer;
let url: string;

beforeEach(async () => {
  server = new MailServer();
  url = await server.start();
});
afterEach(() => server.stop());

const mailerAt = (address: string, limits?: Parameters<typeof createMailer>[3]) =>
  createMailer(address, 'Shop <api@example.com>', keepLog().log, limits);
const mail = { id: 'id', to: ADA, ...write(LETTER) };

describe('a mail', () => {
  it('goes out by SMTP in text and HTML, with an id of its own', async () => {
    await (await mailerAt(url)).send(mail);
    const [message = ''] = server.messages;
    expect(message).toContain('From: Shop <api@example.com>');
    expect(message).toContain(`To: ${ADA}`);
    expect(message).toContain('Subject: Hello');
    expect(message).toContain('Message-ID: <id@example.com>');
    expect(message).toContain('Auto-Submitted: auto-generated');
    expect(message).toContain('Content-Type: text/plain');
    expect(message).toContain('Content-Type: text/html');
  });

  it('is not waited for without end, where the server says nothing', async () => {
    server.answers = SILENT;
    const limits = { connectionTimeout: 200, greetingTimeout: 200, socketTimeout: 200 };
    const sent = (await mailerAt(url, limits)).send(mail);
    // Whichever of the limits is first.
    await expect(sent).rejects.toThrow(/Greeting never received|Timeout/);
    // nodemailer's own limit is 30 seconds.
  }, 20_000);

  it('says the same in text and HTML, and nobody adds markup or lines to it', () => {
    const letter = invitationMail('en', {
      organization: 'Acme\r\nBcc: x@y.z',
      from: 'Eve\n\n<a href="https://evil.example">Pay</a>',
      url: 'https://x.example/?a="1"&b=2',
    });
    const { subject, text, html } = write(letter);
    expect(subject).toBe('Join Acme Bcc: x@y.z');
    expect(text.split('\n')).toHaveLength(4);
    expect(text).toContain('\nhttps://x.example/?a="1"&b=2\n');
    expect(html).toContain(
      '&lt;a href=&quot;https://evil.example&quot;&gt;Pay&lt;/a&gt; invites you',
    );
    expect(html).toContain('<a href="https://x.example/?a=&quot;1&quot;&amp;b=2" ');
    expect(html.match(/<a /g)).toHaveLength(1);
  });

  it('is written in every language', () => {
    const values = { organization: 'Acme', from: 'Eve', url: 'https://x.example/' };
    for (const make of [
      (language: (typeof LANGUAGES)[number]) => verificationMail(language, values.url),
      (language: (typeof LANGUAGES)[number]) => resetPasswordMail(language, values.url),
      (language: (typeof LANGUAGES)[number]) => invitationMail(language, values),
    ]) {
      const letters = LANGUAGES.map(make).map((letter) => ({ letter, ...write(letter) }));
      expect(new Set(letters.map(({ subject }) => subject)).size).toBe(LANGUAGES.length);
      expect(new Set(letters.map(({ text }) => text)).size).toBe(LANGUAGES.length);
      for (const { letter, text, html } of letters) {
        expect(html).toContain(`<html lang="${letter.language}">`);
        expect([text, html].every((each) => each.includes(values.url))).toBe(true);
      }
    }
  });
});

it.each([
  [undefined, 'en'],
  ['', 'en'],
  ['de', 'de'],
  ['de-AT,de;q=0.9,en;q=0.8', 'de'],
  ['fr, de;q=0.4, en;q=0.6', 'en'],
  ['en;q=0.1, DE-ch; q=0.2', 'de'],
  ['de;q=0', 'en'],
  ['fr-CA', 'en'],
  ['*', 'en'],
  ['de;q=x, ;;;,', 'en'],
  [`${'fr,'.repeat(50)}de`, 'en'],
])('Accept-Language %j means %s', (header, language) => {
  expect(languageOf(header)).toBe(language);
});

describe('a posted mail', () => {
  let database: Database;
  let lines: LogLine[];
  let stop: () => Promise<void>;

  beforeAll(async () => {
    database = await copyDatabase();
  });
  afterAll(() => database.close());
  afterEach(async () => {
    await stop();
    await database.db.execute(sql`delete from queue.job`);
  });

  async function startWorker(mailer: Mailer) {
    const created = createWorker(database, sendWith(mailer, noMetrics));
    lines = created.lines;
    stop = () => created.worker.stop(1_000);
    await created.worker.start();
  }

  it('is sent when its transaction commits, and only then', async () => {
    await startWorker(await mailerAt(url));
    await database.db
      .transaction(async (tx) => {
        await postMail(tx, 'undone@example.com', LETTER);
        throw new Error('changed my mind');
      })
      .catch(() => undefined);
    await database.db.transaction((tx) => postMail(tx, ADA, LETTER));
    await expect.poll(() => server.messages.length, PATIENCE).toBe(1);
    expect(server.messages[0]).toContain(`To: ${ADA}`);
    await expect.poll(() => lines.filter(({ msg }) => msg === 'job done').length, PATIENCE).toBe(1);
    expect(server.connections).toBe(1);
  });

  it.each([
    ['is busy', { RCPT: `450 4.2.1 <${ADA}> later` }, '450 4.2.1 to RCPT TO'],
    ['does not know us', { MAIL: '550 no such sender' }, '550 to MAIL FROM'],
    ['turns us away', { HELO: '554 go away' }, '554 to CONN'],
  ])('is tried again where the server %s, and arrives once', async (_why, answers, reason) => {
    server.answers = answers;
    await startWorker(await mailerAt(url));
    await postMail(database.db, ADA, LETTER);
    const failed = () => lines.filter(({ msg }) => msg === 'job failed');
    await expect.poll(() => failed().length, PATIENCE).toBe(1);
    expect(String(failed()[0]?.err)).toContain(reason);
    server.answers = {};
    await expect.poll(() => server.messages.length, PATIENCE).toBe(1);
    await expect.poll(() => lines.at(-1)?.msg, PATIENCE).toBe('job done');
    expect(await listDeadLetters(database)).toEqual([]);
    expect(JSON.stringify(lines)).not.toContain(ADA);
  });

  it.each([
    ['its recipient', { RCPT: `550 5.1.1 <${ADA}> unknown` }, '550 5.1.1 to RCPT TO'],
    ['it', { DATA: '552 too big' }, '552 to DATA'],
  ])('is a dead letter at once where the server refuses %s', async (_what, answers, reason) => {
    server.answers = answers;
    await startWorker(await mailerAt(url));
    await postMail(database.db, ADA, LETTER);
    await expect.poll(() => listDeadLetters(database), PATIENCE).toHaveLength(1);
    expect((await listDeadLetters(database))[0]?.reason).toContain(reason);
    expect(server.connections).toBe(1);
    expect(JSON.stringify(lines)).not.toContain(ADA);
  });

  it('waits for a server that is not there, and arrives when it is', async () => {
    const { port } = server;
    await server.stop();
    await startWorker(await mailerAt(`smtp://127.0.0.1:${port}`));
    await postMail(database.db, ADA, LETTER);
    await expect.poll(() => lines.map(({ msg }) => msg), PATIENCE).toContain('job failed');
    server = new MailServer();
    await server.start(port);
    await expect.poll(() => server.messages.length, PATIENCE).toBe(1);
  });
});
