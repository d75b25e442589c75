import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { invitationMail } from '../src/auth/mails.ts';
import { createMailer } from '../src/mail/mailer.ts';

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

it('has no lines that come from the names of people', () => {
  const mail = invitationMail('a@b.c', 'Acme\r\nBcc: x@y.z', 'Eve\n\nPay here', 'https://x');
  expect(mail.subject).toBe('Join Acme Bcc: x@y.z');
  expect(mail.text.split('\n')).toHaveLength(4);
});
