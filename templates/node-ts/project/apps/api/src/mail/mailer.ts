import type { FastifyBaseLogger } from 'fastify';

export interface Mail {
  readonly to: string;
  readonly subject: string;
  readonly text: string;
}

/** Sends mail, or says by rejecting that it could not. */
export interface Mailer {
  send(mail: Mail): Promise<void>;
}

/** SMTP for smtp:// and smtps:// addresses, the log for `log:`. */
export async function createMailer(
  url: string,
  from: string,
  log: FastifyBaseLogger,
): Promise<Mailer> {
  if (url.startsWith('log:')) {
    return { send: async (mail) => log.info({ mail }, 'mail is only logged (MAIL_URL=log:)') };
  }
  const { createTransport } = await import('nodemailer');
  const transport = createTransport(url);
  return {
    async send(mail) {
      await transport.sendMail({ from, ...mail });
    },
  };
}
