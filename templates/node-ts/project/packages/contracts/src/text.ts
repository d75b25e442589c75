import { z } from 'zod';

// Written out, for regular expressions with and without the flag u: many that read the OpenAPI
// document are not JavaScript's, and know no \p{Cc}, or mean another set of characters by \s.
const CONTROL = String.raw`\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F`;
const BLANK = String.raw`\t\n\r \u00A0\u1680\u2000-\u200F\u2028\u2029\u202F\u205F\u2060\u3000\uFEFF`;

const ANY = new RegExp(`^[^${CONTROL}]*$`);
// No two neighbours match the same character, so long texts cannot make it slow.
const FILLED = new RegExp(`^[${BLANK}]*[^${CONTROL}${BLANK}][^${CONTROL}]*$`);

/** Text of at most `max` characters that PostgreSQL can store; spaces around it are cut off. */
export function text(max: number) {
  return bounded(max).regex(ANY, 'Must not hold control characters').trim();
}

/** The same, with more in it than spaces. */
export function filledText(max: number) {
  return bounded(max)
    .min(1, { abort: true })
    .regex(FILLED, 'Must not be blank, nor hold control characters')
    .trim();
}

/** An address of the web, in the characters that RFC 3986 has for one. */
export const WebAddress = z
  .string()
  .regex(
    /^https?:\/\/[\w.~:/?#[\]@!$&'()*+,;=%-]+$/,
    'Must be an address that begins with http:// or https://',
  )
  .max(2048);

/** JSON Schema and PostgreSQL count code points; `length` counts some of them twice. */
function bounded(max: number) {
  return z
    .string()
    .refine((value) => value.length <= max || [...value].length <= max, {
      error: `Must have at most ${max} characters`,
    })
    .refine((value) => value.isWellFormed(), 'Must not hold half of a surrogate pair')
    .meta({ maxLength: max });
}
