import { randomUUID } from 'node:crypto';
import type { FastifyBaseLogger } from 'fastify';
import { z } from 'zod';
import type { Database } from '../../db/database.ts';
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
  failDocument,
  findWork,
  type PendingDocument,
  pendingDocuments,
  storeVectors,
} from './repository.ts';

const DOCUMENTS_AT_ONCE = 16;
/** Of a request's 256, which others want some of, too. */
const PASSAGES_AT_ONCE = 64;

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
        const { encoder } = await embed(client, ['search'], callerOf(run));
        for (const organizationId of await findWork(database, encoder)) {
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

async function embedAll(
  database: Database,
  client: MlClient,
  organizationId: string,
  run: JobRun,
): Promise<void> {
  const inTenant = <Result>(work: Parameters<typeof withTenant<Result>>[2]) =>
    withTenant(database, organizationId, work);
  for (;;) {
    run.signal.throwIfAborted();
    const pending = await inTenant((tx) => pendingDocuments(tx, DOCUMENTS_AT_ONCE));
    if (pending.length === 0) return;
    const { embedded, refused } = await embedEach(client, pending, run);
    await inTenant(async (tx) => {
      await storeVectors(tx, embedded);
      for (const { id, why } of refused) await failDocument(tx, id, why);
    });
    logRefused(run.log, refused);
  }
}

interface Refused {
  readonly id: string;
  readonly why: string;
}

interface Outcome {
  readonly embedded: readonly EmbeddedDocument[];
  readonly refused: readonly Refused[];
}

/** All of them together; where the service refuses that, each by itself, so that one does not stop the others. */
async function embedEach(
  client: MlClient,
  pending: readonly PendingDocument[],
  run: JobRun,
): Promise<Outcome> {
  try {
    return { embedded: await embedTogether(client, pending, run), refused: [] };
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    const [only, ...others] = pending;
    if (only && others.length === 0) {
      return { embedded: [], refused: [{ id: only.id, why: error.message }] };
    }
  }
  const outcomes: Outcome[] = [];
  for (const document of pending) outcomes.push(await embedEach(client, [document], run));
  return {
    embedded: outcomes.flatMap(({ embedded }) => embedded),
    refused: outcomes.flatMap(({ refused }) => refused),
  };
}

async function embedTogether(
  client: MlClient,
  pending: readonly PendingDocument[],
  run: JobRun,
): Promise<EmbeddedDocument[]> {
  const documents = pending.map((each) => ({ id: each.id, texts: passagesOf(each) }));
  if (documents.some(({ texts }) => texts.length === 0)) {
    throw new ProblemError(422, 'no_words', 'There is no word in it');
  }
  const { encoder, vectors } = await embedMany(
    client,
    documents.flatMap(({ texts }) => texts),
    run,
  );
  let next = 0;
  return documents.map(({ id, texts }) => {
    const own = vectors.slice(next, next + texts.length);
    next += texts.length;
    return { id, texts, encoder, vectors: own };
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

function logRefused(log: FastifyBaseLogger, refused: readonly Refused[]): void {
  for (const { id, why } of refused) log.warn({ documentId: id, why }, 'document not embedded');
}
