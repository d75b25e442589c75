import type { z } from 'zod';
import type { Db, Transaction } from '../db/database.ts';
import {
  defineJob,
  enqueue,
  handle,
  type Job,
  type JobHandler,
  type JobOptions,
  type JobRun,
} from './job.ts';

/** Something that has happened, and of which other modules may want to hear. */
export interface Event<Payload extends z.ZodType = z.ZodType> {
  /** Unique in the application, such as `tasks.due`. */
  readonly name: string;
  readonly payload: Payload;
}

export function defineEvent<const Payload extends z.ZodType>(
  event: Event<Payload>,
): Event<Payload> {
  return event;
}

/** One who hears of an event: a job of its own, so that one who fails is tried again alone. */
export interface Subscriber extends JobHandler {
  readonly event: Event;
}

/** Beside a module's other jobs. The name, such as `reports.task-due`, is that of its job. */
export function on<Payload extends z.ZodType>(
  event: Event<Payload>,
  options: Omit<JobOptions<Payload>, 'payload' | 'schedule'>,
  work: (payload: z.output<Payload>, run: JobRun) => Promise<void>,
): Subscriber {
  return { event, ...handle(defineJob({ ...options, payload: event.payload }), work) };
}

/**
 * Tells all subscribers of an event when `tx` commits, and only then; within `withTenant` it belongs
 * to the organization. Nobody who publishes has to know who hears of it.
 */
export type Publish = <Payload extends z.ZodType>(
  tx: Db | Transaction,
  event: Event<Payload>,
  payload: z.input<Payload>,
) => Promise<void>;

/** The subscribers of an application, by the events of which they hear. */
export class Subscribers {
  readonly #jobs = new Map<string, Job[]>();

  add(handlers: readonly JobHandler[]): void {
    for (const handler of handlers) {
      if (!isSubscriber(handler)) continue;
      const { name } = handler.event;
      this.#jobs.set(name, [...(this.#jobs.get(name) ?? []), handler.job]);
    }
  }

  readonly publish: Publish = async (tx, event, payload) => {
    // Also where nobody listens: the mistake is the publisher's.
    event.payload.parse(payload);
    for (const job of this.#jobs.get(event.name) ?? []) await enqueue(tx, job, payload);
  };
}

function isSubscriber(handler: JobHandler): handler is Subscriber {
  return 'event' in handler;
}
