import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { invitationMail } from '../src/auth/mails.ts';
import { createMailer, type Mail, type Mailer } from '../src/mail/mailer.ts';
import { Outbox, type OutboxOptions } from '../src/mail/outbox.ts';
import { PASSWORD, startApp } from './support/app.ts';

/** As much of an SMTP server as it takes to receive a message. */
const server = createServer((socket) => {
  let inMessage = false;
  socket.write('220 test\r\n');
  socket.on('data', (chunk) => {
    received += chunk;
    if (inMessage) {
      if (!received.endsWith('\r\n.\r\n')) return;
      inMessage = false;
      socket.write('250 queued\r\n');
      return;
    }
    const command = String(chunk).slice(0, 4).toUpperCase();
    inMessage = command === 'DATA';
    const reply = { DATA: '354 go on', QUIT: '221 bye' }[command] ?? '250 ok';
    socket.write(`${reply}\r\n`);
  });
});
let received = '';

beforeAll(() => once(server.listen(0, '127.0.0.1'), 'listening'));
afterAll(() => server.close());

it('goes out by SMTP', async () => {
  const { port } = server.address() as AddressInfo;
  // biome-ignore lint/suspicious/noExplicitAny: this transport logs nothing
  const mailer = await createMailer(`smtp://127.0.0.1:${port}`, 'api@example.com', {} as any);
  await mailer.send({ to: 'ada@example.com', subject: 'Hello', text: 'A message' });
  expect(received).toContain('MAIL FROM:<api@example.com>');
  expect(received).toContain('RCPT TO:<ada@example.com>');
  expect(received).toContain('Subject: Hello');
});

it('is not waited for without end, where the server says nothing', async () => {
  const silent = createServer((socket) => socket.on('error', () => undefined));
  await once(silent.listen(0, '127.0.0.1'), 'listening');
  const { port } = silent.address() as AddressInfo;
  const limits = { connectionTimeout: 200, greetingTimeout: 200, socketTimeout: 200 };
  // biome-ignore lint/suspicious/noExplicitAny: this transport logs nothing
  const mailer = await createMailer(`smtp://127.0.0.1:${port}`, 'a@example.com', {} as any, limits);
  const sent = mailer.send({ to: 'ada@example.com', subject: 'Hello', text: 'A message' });
  // Whichever of the limits is first.
  await expect(sent).rejects.toThrow(/Greeting never received|Timeout/);
  silent.close();
  // nodemailer's own limit is 30 seconds.
}, 20_000);

it('has no lines that come from the names of people', () => {
  const mail = invitationMail('a@b.c', 'Acme\r\nBcc: x@y.z', 'Eve\n\nPay here', 'https://x');
  expect(mail.subject).toBe('Join Acme Bcc: x@y.z');
  expect(mail.text.split('\n')).toHaveLength(4);
});

/** A mailer whose answers the test gives. */
class Scripted implements Mailer {
  readonly asked: string[] = [];
  readonly #waiting: PromiseWithResolvers<void>[] = [];

  send(mail: Mail): Promise<void> {
    this.asked.push(mail.subject);
    const answer = Promise.withResolvers<void>();
    this.#waiting.push(answer);
    return answer.promise;
  }

  accept = () => this.#waiting.shift()?.resolve();
  refuse = (error = new Error('try again')) => this.#waiting.shift()?.reject(error);
}

describe('the outbox', () => {
  const mail = (subject: string) => ({ to: 'a@example.com', subject, text: '' });
  const asked = (mailer: Scripted, ...subjects: string[]) =>
    expect.poll(() => mailer.asked).toEqual(subjects);

  function open(options: Partial<OutboxOptions>) {
    const lines: { level: string; msg: string; [key: string]: unknown }[] = [];
    const to = (level: string) => (fields: object, msg: string) =>
      lines.push({ level, msg, ...fields });
    // biome-ignore lint/suspicious/noExplicitAny: as much of a logger as an outbox uses
    const log = { warn: to('warn'), error: to('error') } as any;
    const mailer = new Scripted();
    return { mailer, lines, outbox: new Outbox(mailer, log, { pausesMs: [1, 1], ...options }) };
  }

  it('tries again, and then says that and why the mail is lost', async () => {
    const { mailer, outbox, lines } = open({});
    outbox.post(mail('a'));
    for (const tries of [1, 2, 3]) {
      await expect.poll(() => mailer.asked.length).toBe(tries);
      mailer.refuse();
    }
    await expect.poll(() => outbox.lost).toBe(1);
    expect(lines.map(({ level }) => level)).toEqual(['warn', 'warn', 'error']);
    expect(lines.at(-1)).toMatchObject({
      msg: 'mail lost',
      reason: 'the mail server did not take it',
      err: { message: 'try again' },
      lost: 1,
    });
  });

  it('does not repeat what is refused for good', async () => {
    const { mailer, outbox } = open({});
    outbox.post(mail('a'));
    await asked(mailer, 'a');
    mailer.refuse(Object.assign(new Error('no such mailbox'), { responseCode: 550 }));
    await expect.poll(() => outbox.lost).toBe(1);
    expect(mailer.asked).toEqual(['a']);
  });

  it('sends so many at once and keeps so many, in order', async () => {
    const { mailer, outbox, lines } = open({ concurrency: 2, capacity: 2 });
    for (const subject of ['a', 'b', 'c', 'd', 'e']) outbox.post(mail(subject));
    expect(lines).toMatchObject([{ reason: 'too many mails are waiting', lost: 1 }]);
    await asked(mailer, 'a', 'b');
    mailer.accept();
    await asked(mailer, 'a', 'b', 'c');
    mailer.accept();
    await asked(mailer, 'a', 'b', 'c', 'd');
  });

  it('keeps a hundred mails at once and more, where nothing else is said', async () => {
    const { outbox } = open({});
    for (let count = 0; count < 100; count += 1) outbox.post(mail('a'));
    expect(outbox.lost).toBe(0);
  });

  it('goes on after an error', async () => {
    const { mailer, outbox } = open({ concurrency: 1, pausesMs: [] });
    outbox.post(mail('a'));
    outbox.post(mail('b'));
    await asked(mailer, 'a');
    mailer.refuse();
    await asked(mailer, 'a', 'b');
    mailer.accept();
    outbox.post(mail('c'));
    await asked(mailer, 'a', 'b', 'c');
  });

  it('holds back what is posted in a request until its answer is out', async () => {
    const { mailer, outbox } = open({});
    const end = Promise.withResolvers<void>();
    const result = await outbox.hold(end.promise, async () => {
      outbox.post(mail('held'));
      return 'answered';
    });
    expect(result).toBe('answered');
    outbox.post(mail('free'));
    await asked(mailer, 'free');
    end.reject(new Error('the caller hung up'));
    await asked(mailer, 'free', 'held');
  });

  it('sends what a request posts after its caller has hung up', async () => {
    const { mailer, outbox } = open({});
    await outbox.hold(Promise.reject(new Error('the caller hung up')), async () => {
      await setImmediate();
      outbox.post(mail('late'));
    });
    await asked(mailer, 'late');
  });

  it('sends the rest at once when it is closed', async () => {
    const { mailer, outbox } = open({ concurrency: 1, pausesMs: [600_000] });
    outbox.post(mail('a'));
    outbox.post(mail('b'));
    await asked(mailer, 'a');
    mailer.refuse();
    const closed = outbox.close(20_000);
    await asked(mailer, 'a', 'a');
    mailer.accept();
    await asked(mailer, 'a', 'a', 'b');
    mailer.accept();
    await closed;
    expect(outbox.lost).toBe(0);
  });

  it('gives up what is left at the deadline', async () => {
    const { mailer, outbox, lines } = open({ concurrency: 1 });
    outbox.post(mail('a'));
    outbox.post(mail('b'));
    await asked(mailer, 'a');
    await outbox.close(1);
    expect(lines).toMatchObject([{ reason: 'the process stops' }, { lost: 2 }]);
    mailer.refuse();
    await setImmediate();
    expect(mailer.asked).toEqual(['a']);
    expect(outbox.lost).toBe(2);
    outbox.post(mail('c'));
    expect(outbox.lost).toBe(3);
  });
});

it('reaches those who hang up before they are answered', async () => {
  const test = await startApp({ env: { LOG_LEVEL: 'debug' } });
  const { port } = new URL(await test.app.listen({ host: '127.0.0.1', port: 0 }));
  const email = 'hasty@example.com';
  const body = JSON.stringify({ email, name: 'Hasty', password: PASSWORD });
  const caller = connect(Number(port), '127.0.0.1');
  caller.write(
    `POST /api/auth/sign-up/email HTTP/1.1\r\nhost: x\r\norigin: http://localhost:3000\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  await expect.poll(() => test.logs.map(({ msg }) => msg)).toContain('incoming request');
  caller.destroy();
  expect(await test.mailTo(email)).toBeDefined();
  await test.close();
});
