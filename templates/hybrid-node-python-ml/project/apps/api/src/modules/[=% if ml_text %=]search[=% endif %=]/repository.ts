import type { DocumentQuery, NewDocument } from '@app/contracts';
import { and, asc, eq, inArray, ne, notInArray, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../db/database.ts';
import { newestFirst, olderThan, pageOf } from '../../http/cursor.ts';
import type { Embedded } from './embedding.ts';
import { type DocumentRow, documents, ofTenant, passages } from './table.ts';

const { id, title, status, problem, createdAt } = documents;
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

export type PendingDocument = Pick<DocumentRow, 'id' | 'title' | 'text'>;

/** Documents without vectors: those last that the service has failed on, else the oldest first. */
export async function pendingDocuments(
  tx: Transaction,
  limit: number,
  but: readonly string[] = [],
): Promise<PendingDocument[]> {
  return tx
    .select({ id, title, text: documents.text })
    .from(documents)
    .where(and(ofTenant, eq(status, 'pending'), notInArray(id, [...but])))
    .orderBy(sql`${problem} is not null`, asc(createdAt), asc(id))
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
      .set({ status: 'ready', problem: null, encoder })
      .where(eq(id, documentId));
  }
}

/** Says why a document has no vectors; `failed` where nothing but another text would help. */
export async function noteProblem(
  tx: Transaction,
  wanted: string,
  next: 'pending' | 'failed',
  why: string,
): Promise<void> {
  await tx
    .update(documents)
    .set({ status: next, problem: why })
    .where(and(eq(id, wanted), eq(status, 'pending')));
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

/** Has documents embedded again whose vectors are another encoder's; gives who has documents to embed. */
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
    tx
      .selectDistinct({ organizationId: documents.organizationId })
      .from(documents)
      .where(sql`status = 'pending'`),
  );
  return rows.map(({ organizationId }) => organizationId);
}

/** All of them at once would take longer than a statement may, and lock them for that time. */
async function setSomeBack(tx: Transaction, encoder: string): Promise<number> {
  const some = tx
    .select({ id })
    .from(documents)
    .where(and(eq(status, 'ready'), ne(documents.encoder, encoder)))
    .limit(SET_BACK_AT_ONCE);
  const rows = await tx
    .update(documents)
    .set({ status: 'pending' })
    .where(inArray(id, some))
    .returning({ id });
  return rows.length;
}
