import { NewPredictions, Predictions } from '@app/contracts';
import { expect, test } from 'vitest';
import { instance, sample, validator } from './contract.ts';

const isRequest = validator('PredictRequest');
const LARGEST = 3.4028234663852886e38;
const VALUES = [
  null,
  true,
  '1',
  'x'.repeat(1001),
  'AAA=',
  'AA=A',
  'A-_A',
  0.5,
  -1,
  LARGEST,
  3.5e38,
  -3.5e38,
  [],
  {},
];
const named = VALUES.map((value) => [JSON.stringify(value).slice(0, 30), value] as const);

/** What could be wrong with an instance, by what it is. */
function changed(good: unknown): [string, unknown][] {
  if (Array.isArray(good)) {
    const ends: [string, unknown][] = [
      ['a value too few', good.slice(1)],
      ['a value too many', [...good, good[0]]],
    ];
    return [
      ...ends,
      ...named.map(([name, value]): [string, unknown] => [name, [...good.slice(1), value]]),
    ];
  }
  if (typeof good !== 'object' || good === null) return named.map(([name, value]) => [name, value]);
  const columns = Object.keys(good).flatMap((column): [string, unknown][] => [
    [`no ${column}`, Object.fromEntries(Object.entries(good).filter(([name]) => name !== column))],
    ...named.map(([name, value]): [string, unknown] => [
      `${column}: ${name}`,
      { ...good, [column]: value },
    ]),
  ]);
  return [['a column too many', { ...good, unknown: 1 }], ...columns];
}

test.each([
  ['one instance', { instances: [instance()] }],
  ['the most instances', { instances: Array(256).fill(instance()) }],
  ['too many instances', { instances: Array(257).fill(instance()) }],
  ['no instance', { instances: [] }],
  ['something unknown', { instances: [instance()], extra: 1 }],
  ['nothing', {}],
])('the API and the service agree on %s', (_name, body) => {
  expect(NewPredictions.safeParse(body).success).toBe(isRequest(body));
});

test('the contract takes its own example', () => {
  expect(isRequest({ instances: [instance()] })).toBe(true);
});

test.each(changed(instance()))(
  'the API and the service agree on an instance with %s',
  (_name, one) => {
    const body = { instances: [one] };
    expect(NewPredictions.safeParse(body).success).toBe(isRequest(body));
  },
);

test('the API takes every answer that the contract describes', () => {
  const answer = {
    predictions: [sample('Prediction')],
    model: sample('ModelReference'),
  };
  expect(validator('PredictResponse')(answer)).toBe(true);
  expect(Predictions.parse(answer)).toEqual(answer);
});
