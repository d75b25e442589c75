import type { SearchResults } from '@app/contracts';
import type { Database } from '../../db/database.ts';
import { keptFor } from '../../db/kept.ts';
import { ProblemError } from '../../http/problems.ts';
import type { Metrics } from '../../metrics/metrics.ts';
import { CallerGoneError } from '../ml/failures.ts';
import { readBacklog } from './repository.ts';

/** The first two are what answers are ranked by. */
const OUTCOMES = [
  'meaning_and_words',
  'words',
  'abandoned',
  'refused',
  'over_quota',
  'error',
] as const;
type Outcome = (typeof OUTCOMES)[number];

/** One answer is for all values of a scrape, and for whoever asks at the same time. */
const SAME_MS = 5_000;

/** Gives what `search` finds. */
export type Measured = (search: () => Promise<SearchResults>) => Promise<SearchResults>;

/** What operators are to know of documents and of searches: docs/search.md. */
export function createMeasure(metrics: Metrics, database: Database): Measured {
  const backlog = keptFor(SAME_MS, () => readBacklog(database));
  metrics.gauge({
    name: 'search_documents',
    help: 'Documents of all organizations, by state.',
    labels: ['state'],
    read: async () => {
      const { oldest, ...states } = await backlog();
      return Object.entries(states).map(([state, value]) => ({ labels: { state }, value }));
    },
  });
  metrics.gauge({
    name: 'search_oldest_waiting_seconds',
    help: 'For how long the oldest document has been waiting to be embedded.',
    read: async () => [{ labels: {}, value: (await backlog()).oldest }],
  });
  const count = metrics.counter({
    name: 'search_requests_total',
    help: 'Searches, by what became of them.',
    labels: { outcome: OUTCOMES },
  });
  const measure = metrics.timer({
    name: 'search_duration_seconds',
    help: 'How long searches took that were answered.',
    labels: ['outcome'],
  });

  return async (search) => {
    const since = performance.now();
    try {
      const results = await search();
      count({ outcome: results.rankedBy });
      measure({ outcome: results.rankedBy }, (performance.now() - since) / 1_000);
      return results;
    } catch (error) {
      count({ outcome: outcomeOf(error) });
      throw error;
    }
  };
}

function outcomeOf(error: unknown): Outcome {
  if (error instanceof CallerGoneError) return 'abandoned';
  if (!(error instanceof ProblemError)) return 'error';
  return error.statusCode === 429 ? 'over_quota' : 'refused';
}
