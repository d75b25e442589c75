import { STATUS_CODES } from 'node:http';
import type { FieldError, Problem } from '@app/contracts';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { isBusy, isUnavailable } from '../db/errors.ts';
import type { App } from './app.ts';

export const PROBLEM_TYPE = 'application/problem+json';

/** An expected failure: throw it anywhere in a request. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly statusCode: number;
  readonly code: string;

  constructor(statusCode: number, code: string, detail: string) {
    super(detail);
    this.statusCode = statusCode;
    this.code = code;
  }
}

/** Turns everything that goes wrong into RFC 9457 problems; `limitNotFound` adds what is not there. */
export function registerProblems(app: App): void {
  app.setErrorHandler<FastifyError>((error, request, reply) => sendError(error, request, reply));
}

/** Looking for addresses is limited like using them. It needs the rate limit to be there. */
export function limitNotFound(app: App): void {
  app.setNotFoundHandler({ preHandler: app.rateLimit() }, (request, reply) =>
    sendError(
      new ProblemError(404, 'not_found', 'There is nothing at this address'),
      request,
      reply,
    ),
  );
}

/** How soon callers may try again what failed for want of the database, in seconds. */
const RETRY_AFTER_S = '5';

/** Answers with the problem that `error` stands for; what is not expected is logged, not told. */
export function sendError(error: FastifyError, request: FastifyRequest, reply: FastifyReply) {
  const problem = isCutOff(request) ? cutOff(request.id) : toProblem(error, request.id);
  if (problem.status >= 500) {
    // What was thrown on purpose needs no stack.
    if (error instanceof ProblemError) request.log.warn({ code: problem.code }, 'request refused');
    else request.log.error({ err: error }, 'request failed');
  }
  if (problem.status === 503) reply.header('retry-after', RETRY_AFTER_S);
  return reply
    .code(problem.status)
    .header('x-request-id', request.id)
    .type(PROBLEM_TYPE)
    .send(problem);
}

/** The caller hung up, or was cut off, while the body was still coming: nobody's error, and nobody reads the answer. */
function isCutOff({ raw }: FastifyRequest): boolean {
  return raw.destroyed && raw.complete === false;
}

function cutOff(requestId: string): Problem {
  return problem(400, 'request_cut_off', 'The request did not come whole', requestId);
}

function toProblem(error: FastifyError, requestId: string): Problem {
  if (hasZodFastifySchemaValidationErrors(error)) {
    return {
      ...problem(400, 'invalid_request', 'The request does not have the expected form', requestId),
      errors: fieldErrors(error),
    };
  }
  if (isUnavailable(error)) {
    const detail = 'The database cannot be reached: try again';
    return problem(503, 'database_unavailable', detail, requestId);
  }
  if (isBusy(error)) {
    return problem(503, 'database_busy', 'The database took too long: try again', requestId);
  }
  if (error instanceof ProblemError) {
    return problem(error.statusCode, error.code, error.message, requestId);
  }
  const status = error.statusCode ?? 500;
  if (status < 400 || status >= 500) {
    return problem(500, 'internal_error', 'Something went wrong on our side', requestId);
  }
  return problem(status, codeOf(status), error.message, requestId);
}

export function problem(status: number, code: string, detail: string, requestId: string): Problem {
  const title = STATUS_CODES[status] ?? 'Error';
  return { type: 'about:blank', title, status, code, detail, requestId };
}

/** Fastify's own codes, FST_..., become the status in words. */
function codeOf(status: number): string {
  return (STATUS_CODES[status] ?? 'error').toLowerCase().replaceAll(/[^a-z]+/g, '_');
}

const PARTS: Readonly<Record<string, FieldError['in']>> = {
  body: 'body',
  querystring: 'query',
  params: 'params',
  headers: 'headers',
};

function fieldErrors(error: FastifyError): FieldError[] {
  const part = PARTS[error.validationContext ?? 'body'] ?? 'body';
  return (error.validation ?? []).map((issue) => ({
    in: part,
    // RFC 6901: the whole part is the empty pointer.
    path: issue.instancePath === '/' ? '' : issue.instancePath,
    message: issue.message ?? 'is not valid',
  }));
}
