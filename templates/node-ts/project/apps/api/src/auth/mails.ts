import type { Language } from '../mail/language.ts';
import type { Letter } from '../mail/letter.ts';

type Words<Values extends unknown[]> = Readonly<
  Record<Language, (...values: Values) => readonly [subject: string, text: string, action: string]>
>;

const VERIFICATION: Words<[]> = {
  en: () => [
    'Confirm your e-mail address',
    'Open this address to confirm that the mailbox is yours:',
    'Confirm',
  ],
  de: () => [
    'Bestätigen Sie Ihre E-Mail-Adresse',
    'Öffnen Sie diese Adresse, um zu bestätigen, dass das Postfach Ihnen gehört:',
    'Bestätigen',
  ],
};

const RESET: Words<[]> = {
  en: () => [
    'Choose a new password',
    'Open this address to choose a new password, or ignore this message:',
    'Choose a new password',
  ],
  de: () => [
    'Wählen Sie ein neues Passwort',
    'Öffnen Sie diese Adresse, um ein neues Passwort zu wählen, oder ignorieren Sie diese Nachricht:',
    'Neues Passwort wählen',
  ],
};

const INVITATION: Words<[organization: string, from: string]> = {
  en: (organization, from) => [
    `Join ${organization}`,
    `${from} invites you to ${organization}. Open this address to join:`,
    'Join',
  ],
  de: (organization, from) => [
    `Einladung zu ${organization}`,
    `${from} lädt Sie zu ${organization} ein. Öffnen Sie diese Adresse, um beizutreten:`,
    'Beitreten',
  ],
};

export function verificationMail(language: Language, url: string): Letter {
  return letter(language, VERIFICATION, [], url);
}

export function resetPasswordMail(language: Language, url: string): Letter {
  return letter(language, RESET, [], url);
}

export function invitationMail(
  language: Language,
  { organization, from, url }: { organization: string; from: string; url: string },
): Letter {
  return letter(language, INVITATION, [oneLine(organization), oneLine(from)], url);
}

function letter<Values extends unknown[]>(
  language: Language,
  words: Words<Values>,
  values: Values,
  url: string,
): Letter {
  const [subject, text, label] = words[language](...values);
  return { language, subject, paragraphs: [text], action: { label, url } };
}

/** Names come from people: they may not add lines to a mail. */
function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim();
}
