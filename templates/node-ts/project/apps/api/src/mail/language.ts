/** The languages that mails are written in; the first is for those who ask for none of them. */
export const LANGUAGES = ['en', 'de'] as const;

export type Language = (typeof LANGUAGES)[number];

/** The one of ours that an Accept-Language header, such as `de-AT, en;q=0.8`, asks for most. */
export function languageOf(acceptLanguage: string | null | undefined): Language {
  const wanted = (acceptLanguage ?? '').split(',', MOST_RANGES).map(readRange);
  const [best] = wanted
    .filter((range) => range.weight > 0)
    .toSorted((one, other) => other.weight - one.weight)
    .flatMap(({ name }) => LANGUAGES.filter((language) => language === name));
  return best ?? LANGUAGES[0];
}

/** The header is the caller's: what stands behind so many is not looked at. */
const MOST_RANGES = 20;

function readRange(range: string): { name: string | undefined; weight: number } {
  const [tag = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
  const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
  return { name: tag.split('-')[0], weight: weight === undefined ? 1 : Number(weight) };
}
