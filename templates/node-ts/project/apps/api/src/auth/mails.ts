import type { Mail } from '../mail/mailer.ts';

export function verificationMail(to: string, url: string): Mail {
  return {
    to,
    subject: 'Confirm your e-mail address',
    text: `Open this address to confirm that the mailbox is yours:\n\n${url}\n`,
  };
}

export function resetPasswordMail(to: string, url: string): Mail {
  return {
    to,
    subject: 'Choose a new password',
    text: `Open this address to choose a new password, or ignore this message:\n\n${url}\n`,
  };
}

export function invitationMail(to: string, organization: string, from: string, url: string): Mail {
  return {
    to,
    subject: `Join ${oneLine(organization)}`,
    text: `${oneLine(from)} invites you to ${oneLine(organization)}. Open this address to join:\n\n${url}\n`,
  };
}

/** Names come from people: they may not add lines to a mail. */
function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim();
}
