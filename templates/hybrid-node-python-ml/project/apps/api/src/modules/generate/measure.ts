import { ProblemError } from '../../http/problems.ts';
import type { Metrics } from '../../metrics/metrics.ts';
import type { MlClient } from '../ml/client.ts';
import { CallerGoneError } from '../ml/failures.ts';
import { FAILURE_CODES, GenerateRefusedError, GenerateUnavailableError } from './failures.ts';
import type { Generated } from './protocol.ts';
import type { Tally } from './tally.ts';

const OUTCOMES = [
  'answered',
  'abandoned',
  'refused',
  'over_quota',
  'error',
  ...FAILURE_CODES.map(shortened),
] as const;
type Outcome = (typeof OUTCOMES)[number];

const STATES = ['closed', 'open', 'half-open'] as const;
const UNTIL_IT_BEGINS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const UNTIL_ITS_END = [0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];

/** One question, from its arrival until there is nothing more to come. */
export interface Measured {
  /** Sees when the answer begins, and what becomes of it. */
  watch(events: AsyncIterable<Generated>): AsyncGenerator<Generated>;
  failed(error: unknown): void;
  ended(tally: Tally): void;
}

/** What operators are to know of answers: docs/generate.md. */
export function createMeasure(metrics: Metrics, state: () => MlClient['state']): () => Measured {
  const count = metrics.counter({
    name: 'generate_requests_total',
    help: 'Questions to the language model, by what became of them.',
    labels: { outcome: OUTCOMES },
  });
  const countTokens = metrics.counter({
    name: 'generate_tokens_total',
    help: 'Tokens of prompts and of answers, as they are counted for organizations.',
    labels: { kind: ['prompt', 'completion'] },
  });
  const begun = metrics.timer({
    name: 'generate_first_token_seconds',
    help: 'How long it took until the first token.',
    labels: [],
    buckets: UNTIL_IT_BEGINS,
  });
  const whole = metrics.timer({
    name: 'generate_answer_seconds',
    help: 'How long whole answers took.',
    labels: [],
    buckets: UNTIL_ITS_END,
  });
  metrics.gauge({
    name: 'generate_circuit',
    help: 'Whether the circuit of this process is in a state: 1 or 0.',
    labels: ['state'],
    read: async () =>
      STATES.map((each) => ({ labels: { state: each }, value: +(each === state()) })),
  });

  return () => {
    const since = performance.now();
    const seconds = () => (performance.now() - since) / 1_000;
    // Whoever goes away ends the events, without an error and without their last one.
    let outcome: Outcome = 'abandoned';
    return {
      async *watch(events) {
        let isFirst = true;
        try {
          for await (const event of events) {
            if (isFirst) begun({}, seconds());
            isFirst = false;
            if (typeof event === 'object' && event.type === 'done') outcome = 'answered';
            yield event;
          }
        } catch (error) {
          outcome = outcomeOf(error);
          throw error;
        }
      },
      failed(error) {
        outcome = outcomeOf(error);
      },
      ended({ counted }) {
        count({ outcome });
        if (outcome === 'answered') whole({}, seconds());
        countTokens({ kind: 'prompt' }, counted.promptTokens);
        countTokens({ kind: 'completion' }, counted.completionTokens);
      },
    };
  };
}

function outcomeOf(error: unknown): Outcome {
  if (error instanceof GenerateUnavailableError) return shortened(error.code);
  if (error instanceof CallerGoneError) return 'abandoned';
  if (error instanceof GenerateRefusedError) return 'refused';
  return error instanceof ProblemError && error.statusCode === 429 ? 'over_quota' : 'error';
}

type Shortened<Code extends string> = Code extends `generate_${infer Rest}` ? Rest : never;

function shortened<Code extends string>(code: Code): Shortened<Code> {
  return code.replace('generate_', '') as Shortened<Code>;
}
