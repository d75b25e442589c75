import { z } from 'zod';
import { LANGUAGES, type Language } from './language.ts';

/** What a mail says: from it both its text and its HTML are made, so that they say the same. */
export const Letter = z.object({
  language: z.enum(LANGUAGES),
  subject: z.string(),
  paragraphs: z.array(z.string()),
  /** What to do now: a button in HTML, an address in text. */
  action: z.object({ label: z.string(), url: z.url() }).optional(),
});
export type Letter = z.infer<typeof Letter>;

interface Written {
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

const IF_NO_BUTTON: Readonly<Record<Language, string>> = {
  en: 'If the button does nothing, open this address:',
  de: 'Wenn die Schaltfläche nichts tut, öffnen Sie diese Adresse:',
};

export function write(letter: Letter): Written {
  return { subject: letter.subject, text: writeText(letter), html: writeHtml(letter) };
}

function writeText({ paragraphs, action }: Letter): string {
  return `${[...paragraphs, ...(action ? [action.url] : [])].join('\n\n')}\n`;
}

/** Mail programs know neither style sheets nor much of CSS, so it stands in each element. */
function writeHtml({ language, subject, paragraphs, action }: Letter): string {
  const body = paragraphs.map((text) => `<p>${escapeHtml(text)}</p>`);
  if (action) {
    const url = escapeHtml(action.url);
    body.push(
      `<p><a href="${url}" style="${BUTTON}">${escapeHtml(action.label)}</a></p>`,
      `<p style="${SMALL}">${IF_NO_BUTTON[language]}<br>${url}</p>`,
    );
  }
  return `<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escapeHtml(subject)}</title>
</head>
<body style="${PAGE}">
${body.join('\n')}
</body>
</html>
`;
}

const PAGE =
  'font-family: sans-serif; line-height: 1.5; max-width: 36em; margin: 2em auto; padding: 0 1em';
const BUTTON =
  'display: inline-block; padding: 0.6em 1.2em; border-radius: 0.3em; background: #1f4e79; color: #ffffff; text-decoration: none';
const SMALL = 'font-size: 0.85em; color: #555555; overflow-wrap: anywhere';

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
};

function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"]/g, (character) => ENTITIES[character] ?? '');
}
