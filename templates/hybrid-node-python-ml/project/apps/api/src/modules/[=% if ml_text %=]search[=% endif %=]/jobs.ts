import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Database, Db, Transaction } from '../../db/database.ts';
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
  noteSetback,
  type PendingDocument,
  pendingDocuments,
  storeVectors,
} from './repository.ts';

const DOCUMENTS_AT_ONCE = 16;
/** Of a request's 256, which others want some of, too. */
const PASSAGES_AT_ONCE = 64;
/** What a service has to answer that is well. */
const PROBE = 'search';

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
        const { encoder } = await embed(client, [PROBE], callerOf(run));
        for (const organizationId of await findWork(database, encoder, run.signal)) {
          await enqueueEmbedding(database.db, organizationId);
        }
      }),
    ),
  ];
}

export function enqueueEmbedding(tx: Db | Transaction, organizationId: string): Promise<string> {
  return enqueue(tx, embedDocuments, { organizationId }, { group: organizationId });
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
}

async function embedAll(
  database: Database,
  client: MlClient,
  organizationId: string,
  run: JobRun,
): Promise<void> {
  const inTenant: Work['inTenant'] = (work) => withTenant(database, organizationId, work);
  const work = { client, run, inTenant };
  // What ended the attempt before may have been a text on which the whole service ends: it would again.
  let isSuspect = run.attempt > 1;
  for (;;) {
    const pending = await inTenant((tx) => pendingDocuments(tx, DOCUMENTS_AT_ONCE));
    if (pending.length === 0) return;
    for (const batch of batchesOf(pending)) {
      if (isSuspect) await embedEach(work, batch);
      else await embedBatch(work, batch);
      isSuspect = false;
    }
  }
}

interface Cut extends Pick<PendingDocument, 'id' | 'attempts'> {
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
    const { id, attempts } = document;
    batches.at(-1)?.push({ id, attempts, texts });
  }
  return batches;
}

/** All of them together; where one of them may be why that fails, each by itself, so that it does not stop the others. */
async function embedBatch(work: Work, batch: readonly Cut[]): Promise<void> {
  try {
    await embedTogether(work, batch);
  } catch (error) {
    if (!mayBeItsTexts(error)) throw error;
    await embedEach(work, batch);
  }
}

/** Each by itself. That it is the text which the service fails on shows where it has just answered another one. */
async function embedEach(work: Work, batch: readonly Cut[]): Promise<void> {
  for (const document of batch) {
    const { encoder } = await embed(work.client, [PROBE], callerOf(work.run));
    try {
      await embedTogether(work, [document]);
    } catch (error) {
      if (!mayBeItsTexts(error)) throw error;
      const isFinal = error instanceof ProblemError;
      const setback = { why: error.message, encoder, isFinal };
      const status = await work.inTenant((tx) => noteSetback(tx, document, setback));
      const about = { documentId: document.id, why: error.message, status };
      work.run.log.warn(about, 'document not embedded');
    }
  }
}

/** The service refuses them, or fails and has not too much to do. */
function mayBeItsTexts(error: unknown): error is ProblemError | MlUnavailableError {
  return error instanceof ProblemError || (error instanceof MlUnavailableError && error.isFault);
}

async function embedTogether(
  { client, run, inTenant }: Work,
  documents: readonly Cut[],
): Promise<void> {
  run.signal.throwIfAborted();
  if (documents.some(({ texts }) => texts.length === 0)) {
    throw new ProblemError(422, 'no_words', 'There is no word in it');
  }
  const texts = documents.flatMap((document) => document.texts);
  const { encoder, vectors } = await embedMany(client, texts, run);
  let next = 0;
  const embedded = documents.map((document): EmbeddedDocument => {
    const own = vectors.slice(next, next + document.texts.length);
    next += document.texts.length;
    return { ...document, encoder, vectors: own };
  });
  await inTenant((tx) => storeVectors(tx, embedded));
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
