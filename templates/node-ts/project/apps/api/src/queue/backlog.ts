import { sql } from 'drizzle-orm';
import type { Database } from '../db/database.ts';
import { keptFor } from '../db/kept.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { DEAD_LETTERS } from './job.ts';

interface Backlog extends Record<string, unknown> {
  readonly queue: string;
  readonly waiting: number;
  readonly later: number;
  readonly active: number;
  readonly dead: number;
  readonly oldest: number;
}

/** One answer is for all values of a scrape, and for whoever asks at the same time. */
const SAME_MS = 5_000;

/** What there is to do, in the whole database: every process says the same. */
export function measureBacklog(metrics: Metrics, database: Pick<Database, 'db'>): void {
  const backlog = keptFor(SAME_MS, () => readBacklog(database));
  metrics.gauge({
    name: 'queue_jobs',
    help: 'Jobs of each kind that are due (waiting), not due yet (later) or being run (active).',
    labels: ['kind', 'state'],
    read: async () =>
      (await backlog()).flatMap(({ queue, ...states }) =>
        (['waiting', 'later', 'active'] as const).map((state) => ({
          labels: { kind: queue, state },
          value: states[state],
        })),
      ),
  });
  metrics.gauge({
    name: 'queue_oldest_waiting_seconds',
    help: 'For how long the oldest job of each kind has been due.',
    labels: ['kind'],
    read: async () =>
      (await backlog()).map(({ queue, oldest }) => ({ labels: { kind: queue }, value: oldest })),
  });
  metrics.gauge({
    name: 'queue_dead_letters',
    help: 'Jobs of each kind that have failed for good, and that nobody has looked at yet.',
    labels: ['kind'],
    read: async () =>
      (await backlog()).map(({ queue, dead }) => ({ labels: { kind: queue }, value: dead })),
  });
}

async function readBacklog({ db }: Pick<Database, 'db'>): Promise<Backlog[]> {
  const { rows } = await db.execute<Backlog>(sql`
    with jobs as (
      select name, state = 'active' as is_active, start_after, start_after <= now() as is_due
      from queue.job where state in ('created', 'retry', 'active')
    ), counted as (
      select name,
        count(*) filter (where not is_active and is_due) as waiting,
        count(*) filter (where not is_active and not is_due) as later,
        count(*) filter (where is_active) as active,
        min(start_after) filter (where not is_active and is_due) as oldest
      from jobs group by name
    ), dead as (
      select source_name as name, count(*) as dead
      from queue.job where name = ${DEAD_LETTERS} and state = 'created' group by source_name
    )
    select q.name as queue, coalesce(waiting, 0)::int as waiting, coalesce(later, 0)::int as later,
      coalesce(active, 0)::int as active, coalesce(dead, 0)::int as dead,
      coalesce(extract(epoch from now() - oldest), 0)::float8 as oldest
    from queue.queue q left join counted using (name) left join dead using (name)
    where q.name <> ${DEAD_LETTERS} and q.name not like '\\_\\_pgboss%' order by q.name`);
  return rows;
}
