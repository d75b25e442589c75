import { NewPredictions, Predictions } from '@app/contracts';
import { expect, test } from 'vitest';
import { instance, sample, validator } from './contract.ts';

test.each([
  ['one instance', { instances: [instance()] }],
  ['the most instances', { instances: Array(256).fill(instance()) }],
  ['too many instances', { instances: Array(257).fill(instance()) }],
  ['no instance', { instances: [] }],
  ['the largest number', { instances: [instance(3.4028234663852886e38)] }],
  ['a number too large', { instances: [instance(3.5e38)] }],
  ['a number too small', { instances: [instance(-3.5e38)] }],
  ['a feature too few', { instances: [instance().slice(1)] }],
  ['a feature too many', { instances: [[...instance(), 0]] }],
  ['something unknown', { instances: [instance()], extra: 1 }],
  ['no numbers', { instances: [instance().map(String)] }],
  ['nothing', {}],
])('the API and the service agree on %s', (_name, body) => {
  const inContract = validator('PredictRequest')(body);
  expect(NewPredictions.safeParse(body).success).toBe(inContract);
});

test('the API takes every answer that the contract describes', () => {
  const answer = {
    predictions: [sample('Prediction')],
    model: sample('ModelReference'),
  };
  expect(validator('PredictResponse')(answer)).toBe(true);
  expect(Predictions.parse(answer)).toEqual(answer);
});
