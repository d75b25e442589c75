import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Database, Transaction } from '../../db/database.ts';
import { withTenant } from '../../db/tenant.ts';
import { ProblemError } from '../../http/problems.ts';
import { defineJob, enqueue, handle, type JobHandler, type JobRun } from '../../queue/job.ts';
import type { MlClient } from '../ml/client.ts';
import { MlUnavailableError } from '../ml/failures.ts';
import { traceparentOf } from '../ml/trace.ts';
import { type Embedded, embed } from './embedding.ts';
import { passagesOf } from './passages.ts';
import {
  type EmbeddedDocument,
  findWork,
  hasDocuments,
  noteProblem,
  type PendingDocument,
  pendingDocuments,
  storeVectors,
} from './repository.ts';

const DOCUMENTS_AT_ONCE = 16;
/** Of a request's 256, which others want some of, too. */
const PASSAGES_AT_ONCE = 64;
/** A service that fails on so many in one run may have another reason than their texts. */
const MOST_FAULTS = 16;

/** Enqueued with each document. One run embeds all that wait, so most find nothing to do. */
export const embedDocuments = defineJob({
  name: 'search.embed',
  payload: z.object({ organizationId: z.string() }),
  retries: 5,
  onePerGroup: true,
});

/** Has embedded again what another version of the model made, and what waited for the service in vain. */
export const findUnembedded = defineJob({
  name: 'search.find-unembedded',
  payload: z.object({}),
  schedule: '*/5 * * * *',
  retries: 0,
});

export function searchJobs(database: Database, client: MlClient): JobHandler[] {
  return [
    handle(embedDocuments, ({ organizationId }, run) =>
      unlessAway(run, () => embedAll(database, client, organizationId, run)),
    ),
    handle(findUnembedded, (_payload, run) =>
      unlessAway(run, async () => {
        if (!(await hasDocuments(database))) return;
        const { encoder } = await embed(client, ['search'], callerOf(run));
        for (const organizationId of await findWork(database, encoder, run.signal)) {
          await enqueueEmbedding(database, organizationId);
        }
      }),
    ),
  ];
}

function enqueueEmbedding(database: Database, organizationId: string): Promise<string> {
  const group = organizationId;
  return enqueue(database.db, embedDocuments, { organizationId }, { group });
}

/** However long the service is away, documents wait for it; the last attempt leaves them to `findUnembedded`. */
async function unlessAway(run: JobRun, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof MlUnavailableError && run.isLast)) throw error;
    run.log.warn({ code: error.code }, 'documents wait for the machine learning service');
  }
}

interface Work {
  readonly client: MlClient;
  readonly run: JobRun;
  inTenant<Result>(work: (tx: Transaction) => Promise<Result>): Promise<Result>;
  /** Of documents that the service failed on in this run: tried again in the next one. */
  readonly faults: Map<string, MlUnavailableError>;
}

async function embedAll(
  database: Database,
  client: MlClient,
  organizationId: string,
  run: JobRun,
): Promise<void> {
  const faults = new Map<string, MlUnavailableError>();
  const inTenant: Work['inTenant'] = (work) => withTenant(database, organizationId, work);
  while (faults.size < MOST_FAULTS) {
    const pending = await inTenant((tx) =>
      pendingDocuments(tx, DOCUMENTS_AT_ONCE, [...faults.keys()]),
    );
    if (pending.length === 0) break;
    for (const batch of batchesOf(pending)) {
      await embedBatch({ client, run, inTenant, faults }, batch);
    }
  }
  const [fault] = faults.values();
  if (fault) throw fault;
}

interface Cut {
  readonly id: string;
  readonly texts: readonly string[];
}

/** As many documents each as one request takes; one that is longer is a batch by itself. */
function batchesOf(pending: readonly PendingDocument[]): Cut[][] {
  const batches: Cut[][] = [];
  let size = Number.POSITIVE_INFINITY;
  for (const document of pending) {
    const texts = passagesOf(document);
    size += texts.length;
    if (size > PASSAGES_AT_ONCE) {
      batches.push([]);
      size = texts.length;
    }
    batches.at(-1)?.push({ id: document.id, texts });
  }
  return batches;
}

/** All of them together; where one of them may be why that fails, each by itself, so that it does not stop the others. */
async function embedBatch(work: Work, batch: readonly Cut[]): Promise<void> {
  work.run.signal.throwIfAborted();
  try {
    const embedded = await embedTogether(work, batch);
    await work.inTenant((tx) => storeVectors(tx, embedded));
  } catch (error) {
    if (!(error instanceof ProblemError || isFaultOfText(error))) throw error;
    const [only, ...others] = batch;
    if (only && others.length === 0) return setAside(work, only.id, error);
    for (const document of batch) await embedBatch(work, [document]);
  }
}

/** The service is there and not too busy: it may be the text that it fails on. */
function isFaultOfText(error: unknown): error is MlUnavailableError {
  return error instanceof MlUnavailableError && error.isFault && error.code !== 'ml_unreachable';
}

/** What the service refuses has failed; what it fails on waits behind the others. */
async function setAside(
  { run, inTenant, faults }: Work,
  documentId: string,
  error: ProblemError | MlUnavailableError,
): Promise<void> {
  const status = error instanceof ProblemError ? 'failed' : 'pending';
  if (error instanceof MlUnavailableError) faults.set(documentId, error);
  await inTenant((tx) => noteProblem(tx, documentId, status, error.message));
  run.log.warn({ documentId, why: error.message, status }, 'document not embedded');
}

async function embedTogether(
  { client, run }: Work,
  documents: readonly Cut[],
): Promise<EmbeddedDocument[]> {
  if (documents.some(({ texts }) => texts.length === 0)) {
    throw new ProblemError(422, 'no_words', 'There is no word in it');
  }
  const texts = documents.flatMap((document) => document.texts);
  const { encoder, vectors } = await embedMany(client, texts, run);
  let next = 0;
  return documents.map((document) => {
    const own = vectors.slice(next, next + document.texts.length);
    next += document.texts.length;
    return { ...document, encoder, vectors: own };
  });
}

async function embedMany(
  client: MlClient,
  texts: readonly string[],
  run: JobRun,
): Promise<Embedded> {
  const vectors: (readonly number[])[] = [];
  let encoder: string | undefined;
  for (let from = 0; from < texts.length; from += PASSAGES_AT_ONCE) {
    const some = texts.slice(from, from + PASSAGES_AT_ONCE);
    const answer = await embed(client, some, callerOf(run));
    encoder ??= answer.encoder;
    if (answer.encoder !== encoder) throw new Error('The model has changed meanwhile: again');
    vectors.push(...answer.vectors);
  }
  return { encoder: encoder ?? '', vectors };
}

function callerOf({ signal }: JobRun) {
  return { requestId: randomUUID(), traceparent: traceparentOf({}), signal };
}
