import { z } from 'zod';
import { PageQuery, page } from './pagination.ts';
import { Predictions } from './predictions.ts';
import { Problem } from './problem.ts';

export const JobStatus = z.enum(['queued', 'running', 'succeeded', 'failed', 'cancelled']);
export type JobStatus = z.infer<typeof JobStatus>;

/** Why a job has failed. */
export const JobProblem = Problem.omit({ requestId: true, errors: true })
  .extend({ detail: z.string() })
  .meta({ id: 'JobProblem' });
export type JobProblem = z.infer<typeof JobProblem>;

/** Predictions that are made in the background. */
export const Job = z
  .object({
    id: z.uuid(),
    status: JobStatus,
    createdBy: z.string(),
    attempts: z.int().describe('How often it was tried'),
    createdAt: z.iso.datetime(),
    startedAt: z.iso.datetime().nullable(),
    finishedAt: z.iso.datetime().nullable(),
    result: Predictions.nullable().describe('Once it has succeeded'),
    problem: JobProblem.nullable().describe('Once it has failed'),
  })
  .meta({ id: 'Job' });
export type Job = z.infer<typeof Job>;

/** A job as lists show it. */
export const JobSummary = Job.omit({ result: true }).meta({ id: 'JobSummary' });
export type JobSummary = z.infer<typeof JobSummary>;

export const JobPage = page(JobSummary).meta({ id: 'JobPage' });
export type JobPage = z.infer<typeof JobPage>;

export const JobQuery = PageQuery.extend({ status: JobStatus.optional() });
export type JobQuery = z.infer<typeof JobQuery>;
