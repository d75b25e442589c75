import { type SQL, sql } from 'drizzle-orm';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { accessOf } from '../../auth/access.ts';
import type { Database, Transaction } from '../../db/database.ts';
import { withTenant } from '../../db/tenant.ts';
import { ProblemError } from '../../http/problems.ts';
import type { Services } from '../../module.ts';
import { limitOf } from './settings.ts';
import { mlUsage } from './table.ts';

// Months are the database's, by UTC: the clocks of the processes need not agree.
const THIS_MONTH = monthOf(sql`now()`);

/** What is counted: the columns of the table, with the codes of months that have no more. */
const QUOTAS = {
  predictions: 'prediction_quota_exceeded',
  tokens: 'token_quota_exceeded',
} as const;
type Counted = keyof typeof QUOTAS;

/** Counts predictions before they are made: see `spendOf`. */
export async function spend(
  tx: Transaction,
  reply: FastifyReply,
  count: number,
  limit?: number,
): Promise<void> {
  await spendOf('predictions', tx, reply, count, limit);
}

/**
 * Counts before there is anything to count, so that requests which come at once find no more than
 * there is. Throws 429 where this month has no room for all of it; else gives the month.
 */
export async function spendOf(
  what: Counted,
  tx: Transaction,
  reply: FastifyReply,
  count: number,
  limit = Number.MAX_SAFE_INTEGER,
): Promise<string> {
  const column = mlUsage[what];
  const fits = sql`${column} + ${count} <= ${limit}::bigint`;
  const rows =
    count > limit
      ? []
      : await tx
          .insert(mlUsage)
          .values({ month: THIS_MONTH, predictions: 0, [what]: count })
          .onConflictDoUpdate({
            target: [mlUsage.organizationId, mlUsage.month],
            set: { [what]: sql`${column} + ${count}` },
            setWhere: fits,
          })
          .returning({ month: mlUsage.month });
  if (rows[0]) return rows[0].month;
  const { endsAt, count: used } = (await readMonths(tx, what)).current;
  const seconds = Math.ceil((Date.parse(endsAt) - Date.now()) / 1_000);
  reply.header('retry-after', Math.max(1, seconds));
  const left = Math.max(0, limit - used);
  const detail = `Of ${limit} ${what} a month ${left} are left until ${endsAt}`;
  throw new ProblemError(429, QUOTAS[what], detail);
}

type Request = FastifyRequest<{ Body: { readonly instances: readonly unknown[] } }>;

/** Counts all instances of a request, and gives what takes back those that came to nothing. */
export type Meter = (
  request: Request,
  reply: FastifyReply,
) => Promise<(notGiven: number) => Promise<void>>;

export function createMeter(services: Services): Meter {
  const { database } = services;
  const limit = limitOf(services);
  return async (request, reply) => {
    const { organizationId } = accessOf(request);
    await withTenant(database, organizationId, (tx) =>
      spend(tx, reply, request.body.instances.length, limit),
    );
    return async (notGiven) => {
      if (notGiven === 0) return;
      // The caller is told why there was no prediction, not that this failed on top.
      await giveBack(database, organizationId, notGiven).catch((err) =>
        request.log.error({ err, notGiven }, 'predictions stay counted that were not given'),
      );
    };
  };
}

export async function giveBack(database: Database, organizationId: string, count: number) {
  await withTenant(database, organizationId, (tx) =>
    tx
      .update(mlUsage)
      .set({ predictions: sql`greatest(0, ${mlUsage.predictions} - ${count})` })
      .where(sql`${mlUsage.month} = ${THIS_MONTH}`),
  );
}

/** The same for jobs that have failed or were cancelled, of whichever organizations and months. */
export async function giveBackJobs(tx: Transaction, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  const list = sql.join(
    ids.map((id) => sql`${id}::uuid`),
    sql`, `,
  );
  await tx.execute(sql`
    update ml_usage set predictions = greatest(0, predictions - undone.count)
    from (
      select organization_id, ${monthOf(sql`created_at`)} as month,
        sum(jsonb_array_length(input -> 'instances')) as count
      from ml_jobs where id in (${list}) group by 1, 2
    ) undone
    where ml_usage.organization_id = undone.organization_id and ml_usage.month = undone.month`);
}

export async function readUsage(tx: Transaction) {
  const { current, earlier } = await readMonths(tx, 'predictions');
  const { month, endsAt, count: predictions } = current;
  return {
    month,
    endsAt,
    predictions,
    earlier: earlier.map((each) => ({ month: each.month, predictions: each.count })),
  };
}

export async function readTokenUsage(tx: Transaction) {
  const { current, earlier } = await readMonths(tx, 'tokens');
  const { month, endsAt, count: tokens } = current;
  return {
    month,
    endsAt,
    tokens,
    earlier: earlier.map((each) => ({ month: each.month, tokens: each.count })),
  };
}

/** The months in which there were any, the newest first; of this month also where there were none. */
async function readMonths(tx: Transaction, what: Counted) {
  const column = sql.identifier(what);
  const { rows } = await tx.execute<{ month: string; count: string; endsAt: string }>(sql`
    select month, count, ${END_OF_MONTH} as "endsAt"
    from (
      select month, ${column} as count from ml_usage where ${column} > 0 or month = ${THIS_MONTH}
      union all select ${THIS_MONTH}, 0
      where not exists (select 1 from ml_usage where month = ${THIS_MONTH})
    ) months
    order by month desc limit 13`);
  const [first, ...earlier] = rows.map(({ month, count }) => ({ month, count: Number(count) }));
  if (!first || !rows[0]) throw new Error('there is always a month');
  return { current: { ...first, endsAt: new Date(rows[0].endsAt).toISOString() }, earlier };
}

const END_OF_MONTH = sql`to_char(
  date_trunc('month', now() at time zone 'UTC') + interval '1 month', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')`;

function monthOf(time: SQL): SQL<string> {
  return sql`to_char(${time} at time zone 'UTC', 'YYYY-MM')`;
}
