import { filledText, text } from '@app/contracts';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';

const MAX = 10;
const OF_MAX = 'x'.repeat(MAX);

const GOOD = ['x', ' x ', 'a\r\nb\t', 'ñandú', '漢字', '👩‍🚀', '\u{1F600}'.repeat(MAX), OF_MAX];
const BLANK = ['', ' ', '\t\n\r', '\u00a0', '\ufeff', '\u3000\u2003'];
/** Nobody sees them, and `trim` leaves them. */
const INVISIBLE = ['\u200b', '\u200d\u2060'];
const BAD = [
  'nul\0',
  '\u0007',
  '\u001b[31m',
  '\u007f',
  '\u0085',
  `${OF_MAX}x`,
  ' '.repeat(MAX + 1),
];
/** JSON can write them, UTF-8 cannot: PostgreSQL would keep another character in their place. */
const HALVES = ['\ud800', 'x\udc00', '\udc00\ud800'];

describe.each([
  ['text', text(MAX), [...GOOD, ...BLANK, ...INVISIBLE], BAD],
  ['filledText', filledText(MAX), GOOD, [...BLANK, ...INVISIBLE, ...BAD]],
])('%s', (_name, schema, good, bad) => {
  it('takes what PostgreSQL can store, without the spaces around it', () => {
    for (const value of good) expect(schema.parse(value)).toBe(value.trim());
    for (const value of [...bad, ...HALVES]) {
      expect(schema.safeParse(value).success, JSON.stringify(value)).toBe(false);
    }
  });

  it.each(['', 'u', 'v'])('says so to tools, whichever way they read patterns: "%s"', (flags) => {
    const { pattern = '', minLength = 0, maxLength = 0 } = z.toJSONSchema(schema);
    expect(pattern).toMatch(/^[\x20-\x7e]+$/);
    const accepts = (value: string) => {
      // JSON Schema counts code points.
      const { length } = [...value];
      return length >= minLength && length <= maxLength && new RegExp(pattern, flags).test(value);
    };
    expect(good.filter((value) => !accepts(value))).toEqual([]);
    expect(bad.filter(accepts)).toEqual([]);
  });
});

it('reads long texts in no time that grows with their square', () => {
  const schema = filledText(1_000_000);
  for (const filler of [' ', 'x', ' x']) {
    expect(schema.safeParse(`${filler.repeat(400_000)}\0`).success).toBe(false);
  }
});
