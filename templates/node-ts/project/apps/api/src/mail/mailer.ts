import type { FastifyBaseLogger } from 'fastify';

export interface Mail {
  /** The same for each try: who gets a mail twice can tell by it. */
  readonly id: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

/** Sends mail, or says by rejecting that it could not. It takes as long as the mail server does. */
export interface Mailer {
  send(mail: Mail): Promise<void>;
}

/** The mail server did not take a mail; its own words may hold addresses, so they are left out. */
export class MailError extends Error {
  override readonly name = 'MailError';
  /** Whether it refused this mail for good, rather than was away or refused us. */
  readonly final: boolean;

  constructor(reason: string, final: boolean) {
    super(`The mail server did not take the mail: ${reason}`);
    this.final = final;
  }
}

/** How long a mail server may say nothing: nodemailer by itself would wait for ten minutes. */
const TIMEOUTS_MS = { connectionTimeout: 10_000, greetingTimeout: 10_000, socketTimeout: 20_000 };

/** SMTP for smtp:// and smtps:// addresses, the log for `log:`. */
export async function createMailer(
  url: string,
  from: string,
  log: FastifyBaseLogger,
  timeouts = TIMEOUTS_MS,
): Promise<Mailer> {
  if (url.startsWith('log:')) {
    return {
      send: async ({ to, subject, text }) =>
        log.info({ mail: { to, subject, text } }, 'mail is only logged (MAIL_URL=log:)'),
    };
  }
  const { createTransport } = await import('nodemailer');
  const transport = createTransport({ url, ...timeouts });
  const domain = /@([^@>]+)>?\s*$/.exec(from)?.[1] ?? 'localhost';
  return {
    async send({ id, ...mail }) {
      // So that no out-of-office note comes back.
      const headers = { 'Auto-Submitted': 'auto-generated' };
      const message = { from, ...mail, headers, messageId: `<${id}@${domain}>` };
      await transport.sendMail(message).catch((error: unknown) => {
        throw toMailError(error);
      });
    },
  };
}

/** What a server may say no to for good: the recipient, and the message. All else may be put right. */
const FINAL_AT = ['RCPT TO', 'DATA'];

function toMailError(error: unknown): MailError {
  const { message, response, responseCode, command } = error as Error & {
    response?: string;
    responseCode?: number;
    command?: string;
  };
  if (responseCode === undefined) return new MailError(message, false);
  const [code] = /^\d{3}(?:[ -]\d\.\d{1,3}\.\d{1,3})?/.exec(response ?? '') ?? [responseCode];
  const final = responseCode >= 500 && FINAL_AT.includes(command ?? '');
  return new MailError(`${code} to ${command ?? 'its greeting'}`, final);
}
