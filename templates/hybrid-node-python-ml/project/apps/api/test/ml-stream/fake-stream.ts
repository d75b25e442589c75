import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { sample, validator } from '../ml/contract.ts';
import type { FakeMl } from '../ml/fake-ml.ts';

type Answer = FakeMl['answer'];

const isEvent = validator('StreamEvent');

/** One event on the wire, checked against the contract. */
export function wire(event: { type: string; [field: string]: unknown }): string {
  if (!isEvent(event)) throw new Error(JSON.stringify(isEvent.errors));
  return `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}

export function prediction(index: number, name = 'fake'): string {
  const model = { name, version: '1' };
  return wire({ type: 'prediction', index, prediction: sample('Prediction'), model });
}

export function done(predictions: number): string {
  return wire({ type: 'done', predictions });
}

export function failed(status: number, code: string): string {
  const problem = { type: 'about:blank', title: 'Error', status, code };
  return wire({ type: 'error', problem: { ...problem, detail: null, errors: null } });
}

function begin(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' }).flushHeaders();
}

/** What the service does when it is well, with a pause before each prediction. */
export function streamed(pause = 0): Answer {
  return async (response, { instances }) => {
    begin(response);
    for (const index of instances.keys()) {
      if (pause > 0) await sleep(pause);
      response.write(prediction(index));
    }
    response.end(done(instances.length));
  };
}

/** So many predictions, and then this text and the end of the answer. */
export function ending(count: number, text: string): Answer {
  return (response) => {
    begin(response);
    for (let index = 0; index < count; index++) response.write(prediction(index));
    response.end(text);
  };
}

/** So many predictions, and then nothing more. */
export function silent(count: number): Answer {
  return (response) => {
    begin(response);
    for (let index = 0; index < count; index++) response.write(prediction(index));
  };
}

/** So many predictions, and then a connection that breaks. */
export function broken(count: number): Answer {
  return async (response) => {
    silent(count)(response, { instances: [] });
    await sleep(50);
    response.destroy();
  };
}

/** For so long only comments, and then the only prediction. */
export function hesitant(milliseconds: number): Answer {
  return async (response, { instances }) => {
    begin(response);
    const end = Date.now() + milliseconds;
    while (Date.now() < end) {
      await sleep(60);
      response.write(': heartbeat\n\n');
    }
    response.end(prediction(0) + done(instances.length));
  };
}

/** Huge predictions, as fast as they are read; counts the bytes that were taken. */
export function flood(bytes: number, taken: (bytes: number) => void): Answer {
  return async (response, { instances }) => {
    begin(response);
    for (const index of instances.keys()) {
      const text = prediction(index, 'x'.repeat(bytes));
      if (!response.write(text)) await once(response, 'drain');
      taken(text.length);
    }
    response.end(done(instances.length));
  };
}
