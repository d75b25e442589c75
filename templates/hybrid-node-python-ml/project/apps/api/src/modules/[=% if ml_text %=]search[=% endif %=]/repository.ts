import type { DocumentQuery, DocumentStatus, NewDocument } from '@app/contracts';
import { and, asc, eq, inArray, ne, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../db/database.ts';
import { newestFirst, olderThan, pageOf } from '../../http/cursor.ts';
import type { Embedded } from './embedding.ts';
import { type DocumentRow, documents, ofTenant, passages } from './table.ts';

const { id, title, status, problem, createdAt, attempts } = documents;
const SUMMARY = { id, title, status, problem, createdAt };

// No query needs to name the organization: withTenant has, and PostgreSQL keeps to it. Where one
// says `ofTenant`, it is for speed.

export async function listDocuments(tx: Transaction, query: DocumentQuery) {
  const rows = await tx
    .select(SUMMARY)
    .from(documents)
    .where(
      and(ofTenant, query.status && eq(status, query.status), olderThan(documents, query.cursor)),
    )
    .orderBy(...newestFirst(documents))
    .limit(query.limit + 1);
  return pageOf(rows, query.limit);
}

export async function findDocument(tx: Transaction, wanted: string) {
  const [row] = await tx
    .select({ ...SUMMARY, text: documents.text })
    .from(documents)
    .where(eq(id, wanted));
  return row;
}

export async function insertDocument(tx: Transaction, values: NewDocument) {
  const [row] = await tx.insert(documents).values(values).returning(SUMMARY);
  if (!row) throw new Error('PostgreSQL returned no row for an insert');
  return row;
}

/** Deletes the document with its passages; false means that it is not there. */
export async function deleteDocument(tx: Transaction, wanted: string): Promise<boolean> {
  const rows = await tx.delete(documents).where(eq(id, wanted)).returning({ id });
  return rows.length > 0;
}

const AS_NEW = { status: 'pending', problem: null, attempts: 0, nextAttemptAt: null } as const;

/** Its time begins anew, too: rounded up, that would be a moment from now. */
const AGAIN = { ...AS_NEW, nextAttemptAt: sql`date_trunc('milliseconds', now())` };

/** Has a document embedded that is not, however often that has failed. */
export async function retryDocument(tx: Transaction, wanted: string) {
  const [row] = await tx
    .update(documents)
    .set(AGAIN)
    .where(and(eq(id, wanted), ne(status, 'ready')))
    .returning(SUMMARY);
  if (row) return row;
  const [ready] = await tx.select(SUMMARY).from(documents).where(eq(id, wanted));
  return ready;
}

export type PendingDocument = Pick<DocumentRow, 'id' | 'title' | 'text' | 'attempts'>;

const isDue = sql`status = 'pending' and (next_attempt_at is null or next_attempt_at <= now())`;

/** Documents without vectors whose time has come: those last that the service has failed on, else the oldest first. */
export async function pendingDocuments(tx: Transaction, limit: number): Promise<PendingDocument[]> {
  return tx
    .select({ id, title, text: documents.text, attempts })
    .from(documents)
    .where(and(ofTenant, isDue))
    .orderBy(asc(attempts), asc(createdAt), asc(id))
    .limit(limit);
}

/** A document's passages, each with its vector. */
export interface EmbeddedDocument extends Embedded {
  readonly id: string;
  readonly texts: readonly string[];
}

/** Stores vectors, but for documents that were deleted or embedded meanwhile. */
export async function storeVectors(
  tx: Transaction,
  embedded: readonly EmbeddedDocument[],
): Promise<void> {
  const ids = embedded.map((each) => each.id);
  const found = await tx
    .select({ id })
    .from(documents)
    .where(and(inArray(id, ids), eq(status, 'pending')))
    .orderBy(asc(id))
    .for('update');
  const pending = new Set(found.map((row) => row.id));
  for (const { id: documentId, texts, encoder, vectors } of embedded) {
    if (!pending.has(documentId)) continue;
    const rows = texts.map((text, place) => {
      return { documentId, place, text, encoder, embedding: vectors[place] ?? [] };
    });
    await tx.delete(passages).where(eq(passages.documentId, documentId));
    await tx.insert(passages).values(rows);
    await tx
      .update(documents)
      .set({ ...AS_NEW, status: 'ready', encoder })
      .where(eq(id, documentId));
  }
}

/** So often is a document tried that the service fails on. */
const MOST_ATTEMPTS = 5;
/** After the first attempt; four times as long after each that follows. */
const FIRST_PAUSE_MINUTES = 5;

/** Why a document has no vectors, and what was not able to make them. */
export interface Setback {
  readonly why: string;
  readonly encoder: string;
  /** Nothing but another text or model would help. */
  readonly isFinal: boolean;
}

/** Notes what became of an attempt, and gives the document's new state. */
export async function noteSetback(
  tx: Transaction,
  { id: wanted, attempts: before }: Pick<PendingDocument, 'id' | 'attempts'>,
  { why, encoder, isFinal }: Setback,
): Promise<DocumentStatus> {
  const isLast = before + 1 >= MOST_ATTEMPTS;
  const next = isFinal ? 'failed' : isLast ? 'given_up' : 'pending';
  const minutes = FIRST_PAUSE_MINUTES * 4 ** before;
  const later = sql`now() + ${minutes}::int * interval '1 minute'`;
  await tx
    .update(documents)
    .set({
      status: next,
      problem: why,
      encoder,
      attempts: before + 1,
      nextAttemptAt: next === 'pending' ? later : null,
    })
    .where(and(eq(id, wanted), eq(status, 'pending'), eq(attempts, before)));
  return next;
}

const SET_BACK_AT_ONCE = 1_000;

/** Of every organization. */
function asWorker<Result>(database: Database, work: (tx: Transaction) => Promise<Result>) {
  return database.withSettings({ 'app.search_worker': 'on' }, work);
}

/** Whether there is any document, of whatever organization. */
export async function hasDocuments(database: Database): Promise<boolean> {
  const rows = await asWorker(database, (tx) => tx.select({ id }).from(documents).limit(1));
  return rows.length > 0;
}

interface Backlog extends Record<string, number> {
  /** In seconds. */
  readonly oldest: number;
}

/** How many documents are in each state, and for how long the oldest has been waiting to be embedded. */
export async function readBacklog(database: Database): Promise<Backlog> {
  const { rows } = await asWorker(database, (tx) =>
    tx.execute<Backlog>(sql`
      select count(*) filter (where ${isDue})::int as waiting,
        count(*) filter (where status = 'pending' and next_attempt_at > now())::int as later,
        count(*) filter (where status = 'ready')::int as ready,
        count(*) filter (where status = 'failed')::int as failed,
        count(*) filter (where status = 'given_up')::int as given_up,
        greatest(0, extract(epoch from
          now() - min(coalesce(next_attempt_at, created_at)) filter (where ${isDue})))::float8 as oldest
      from search_documents`),
  );
  if (!rows[0]) throw new Error('PostgreSQL returned no row for a count');
  return rows[0];
}

/** Has documents embedded that only another encoder has tried its hand at; gives who has documents to embed. */
export async function findWork(
  database: Database,
  encoder: string,
  signal: AbortSignal,
): Promise<string[]> {
  for (;;) {
    signal.throwIfAborted();
    const setBack = await asWorker(database, (tx) => setSomeBack(tx, encoder));
    if (setBack < SET_BACK_AT_ONCE) break;
  }
  const rows = await asWorker(database, (tx) =>
    tx.selectDistinct({ organizationId: documents.organizationId }).from(documents).where(isDue),
  );
  return rows.map(({ organizationId }) => organizationId);
}

/** All of them at once would take longer than a statement may, and lock them for that time. */
async function setSomeBack(tx: Transaction, encoder: string): Promise<number> {
  const some = tx
    .select({ id })
    .from(documents)
    .where(
      sql`(status <> 'pending' or attempts > 0) and ${documents.encoder} is distinct from ${encoder}`,
    )
    .limit(SET_BACK_AT_ONCE);
  const rows = await tx.update(documents).set(AGAIN).where(inArray(id, some)).returning({ id });
  return rows.length;
}
