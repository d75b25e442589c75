import { expect, test } from 'vitest';
import { passagesOf } from '../../src/modules/search/passages.ts';

const wordsIn = (text: string) => text.match(/[\p{L}\p{N}]+/gu)?.length ?? 0;

test('a short document is one passage, of its title and its text', () => {
  expect(passagesOf({ title: 'Cars', text: 'They have wheels.' })).toEqual([
    'Cars\n\nThey have wheels.',
  ]);
});

test('a long one is several, with every word once and in order, none too long for the model', () => {
  const words = Array.from({ length: 1_000 }, (_, n) => `w${n}-part`);
  const passages = passagesOf({ title: 'Long', text: words.join(' ') });
  expect(passages.join(' ').split(/\s+/)).toEqual(['Long', ...words]);
  expect(Math.max(...passages.map(wordsIn))).toBeLessThanOrEqual(200);
});

test.each([
  ['one word without an end', 'x'.repeat(10_000)],
  ['a language that has no spaces', '検索'.repeat(3_000)],
  ['emoji, of which none is cut in two', '🙂a'.repeat(3_000)],
])('%s is cut', (_what, text) => {
  const passages = passagesOf({ title: 'Cut', text });
  expect(passages.length).toBeGreaterThan(1);
  expect(Math.max(...passages.map(({ length }) => length))).toBeLessThanOrEqual(1_500);
  expect(passages.every((passage) => passage.isWellFormed())).toBe(true);
  expect(passages.join('').replace(/\s/g, '')).toBe(`Cut${text}`);
});

test('what has no word is no passage', () => {
  expect(passagesOf({ title: '!!!', text: '— … —' })).toEqual([]);
  expect(passagesOf({ title: 'Dots', text: '. '.repeat(2_000) })).toHaveLength(1);
});
