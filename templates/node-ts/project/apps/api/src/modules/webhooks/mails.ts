import { LANGUAGES, type Language } from '../../mail/language.ts';
import type { Letter } from '../../mail/letter.ts';

type Reason = 'gone' | 'failing';
type Words = Readonly<
  Record<Language, (host: string) => Readonly<Record<'subject' | 'next' | Reason, string>>>
>;

const DISABLED: Words = {
  en: (host) => ({
    subject: `Webhooks to ${host} are switched off`,
    gone: `${host} has answered that it wants no more webhooks (410), so its endpoint was disabled.`,
    failing: `${host} has taken no webhook for days, so its endpoint was disabled.`,
    next: 'Once it is put right, enable the endpoint, and send again what has failed.',
  }),
  de: (host) => ({
    subject: `Webhooks an ${host} sind abgeschaltet`,
    gone: `${host} hat geantwortet, dass es keine Webhooks mehr möchte (410). Der Endpunkt wurde abgeschaltet.`,
    failing: `${host} hat seit Tagen keinen Webhook angenommen. Der Endpunkt wurde abgeschaltet.`,
    next: 'Schalten Sie den Endpunkt wieder ein, sobald es behoben ist, und senden Sie erneut, was nicht ankam.',
  }),
};

/** To owners, of whose language nothing is known. The rest of the URL may hold a secret of theirs. */
export function disabledMail(url: string, because: Reason): Letter {
  const language = LANGUAGES[0];
  const words = DISABLED[language](new URL(url).host);
  return { language, subject: words.subject, paragraphs: [words[because], words.next] };
}
