import type { FastifyBaseLogger } from 'fastify';

export interface Mail {
  readonly to: string;
  readonly subject: string;
  readonly text: string;
}

/** Sends mail, or says by rejecting that it could not. It takes as long as the mail server does. */
export interface Mailer {
  send(mail: Mail): Promise<void>;
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
    return { send: async (mail) => log.info({ mail }, 'mail is only logged (MAIL_URL=log:)') };
  }
  const { createTransport } = await import('nodemailer');
  const transport = createTransport({ url, ...timeouts });
  return {
    async send(mail) {
      await transport.sendMail({ from, ...mail });
    },
  };
}
