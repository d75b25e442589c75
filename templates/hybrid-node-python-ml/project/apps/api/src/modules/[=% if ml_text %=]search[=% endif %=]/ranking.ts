import type { DocumentStatus, SearchQuery, SearchResults } from '@app/contracts';
import { sql } from 'drizzle-orm';
import type { Transaction } from '../../db/database.ts';
import type { Embedded } from './embedding.ts';
import { ofTenant } from './table.ts';

/** How many of each ranking count. */
const DEPTH = 100;
/** Reciprocal rank fusion's constant: the larger, the less it matters to be the very first. */
const K = 60;

interface Found extends Record<string, unknown> {
  readonly id: string;
  readonly title: string;
  readonly status: DocumentStatus;
  readonly problem: string | null;
  readonly createdAt: Date | string;
  readonly passage: string;
  readonly score: number;
}

/**
 * The documents nearest to the question and those that share words with it, by the places that they
 * have in both rankings. Every vector of the organization is looked at, so nothing is missed; only
 * those of the question's own encoder, so that what is compared can be. Without a vector, words decide.
 */
export async function search(
  tx: Transaction,
  { q, limit }: SearchQuery,
  question: Embedded | undefined,
): Promise<SearchResults> {
  const encoder = question?.encoder ?? '';
  const vector = JSON.stringify(question?.vectors[0] ?? [0]);
  const { rows } = await tx.execute<Found>(sql`
    with asked as (
      -- Any of the words will do: a question is made of many, and no text has them all.
      select replace(plainto_tsquery('english', ${q})::text, ' & ', ' | ')::tsquery as words
    ),
    nearest as (
      select distinct on (document_id) document_id, text, embedding <=> ${vector}::vector as distance
      from search_passages where encoder = ${encoder}
      order by document_id, distance
    ),
    by_meaning as (
      select document_id, text, row_number() over (order by distance, document_id) as place
      from nearest order by place limit ${DEPTH}
    ),
    by_words as (
      select id as document_id,
        row_number() over (order by ts_rank_cd(documents.words, asked.words) desc, id) as place
      from search_documents documents, asked where ${ofTenant} and documents.words @@ asked.words
      order by place limit ${DEPTH}
    ),
    fused as (
      select document_id, sum(1.0 / (${K}::int + place))::float8 as score
      from (select document_id, place from by_meaning union all table by_words) places
      group by document_id
    )
    select documents.id, title, status, problem, created_at as "createdAt", score,
      coalesce(by_meaning.text, ts_headline('english', documents.text, asked.words,
        'StartSel="", StopSel="", MinWords=20, MaxWords=60')) as passage
    from fused join search_documents documents on documents.id = fused.document_id
      left join by_meaning on by_meaning.document_id = fused.document_id
      left join by_words on by_words.document_id = fused.document_id
      cross join asked
    -- Of two that are each in one ranking only, at the same place, the one that has the words.
    order by score desc, by_words.place, documents.id limit ${limit}`);
  return {
    items: rows.map((row) => ({ ...row, createdAt: new Date(row.createdAt).toISOString() })),
    rankedBy: question ? 'meaning_and_words' : 'words',
    byWordsOnly: await countByWordsOnly(tx, encoder),
  };
}

async function countByWordsOnly(tx: Transaction, encoder: string): Promise<number> {
  const { rows } = await tx.execute<{ count: number }>(sql`
    select count(*)::int as count from search_documents
    where ${ofTenant} and (status <> 'ready' or encoder is distinct from ${encoder})`);
  return rows[0]?.count ?? 0;
}
