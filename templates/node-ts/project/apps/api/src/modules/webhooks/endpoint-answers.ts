import type { WebhookEndpoint } from '@app/contracts';
import { organizationNotFound } from '../../auth/access.ts';
import { isForeignKeyViolation, isUniqueViolation } from '../../db/errors.ts';
import { ProblemError } from '../../http/problems.ts';
import type { EndpointRow } from './endpoints.ts';

/** An endpoint as it may be seen: without its secrets. */
export function toEndpoint(row: EndpointRow): WebhookEndpoint {
  const { id, url, description, eventTypes, isEnabled, disabledBecause, version } = row;
  const isInGrace = row.previousUntil !== null && row.previousUntil > new Date();
  return {
    id,
    url,
    description,
    eventTypes,
    isEnabled,
    disabledBecause,
    version,
    failingSince: row.failingSince?.toISOString() ?? null,
    pausedUntil: row.pausedUntil?.toISOString() ?? null,
    previousSecretUntil: isInGrace ? (row.previousUntil?.toISOString() ?? null) : null,
    createdAt: row.createdAt.toISOString(),
  };
}

/** Another organization's endpoint is not there either: its existence is nobody's business. */
export function notFound(): ProblemError {
  return new ProblemError(404, 'webhook_endpoint_not_found', 'There is no such webhook endpoint');
}

export function changedMeanwhile(): ProblemError {
  return new ProblemError(412, 'stale_version', 'It has changed: read it again');
}

export function disabled(): ProblemError {
  return new ProblemError(409, 'webhook_endpoint_disabled', 'Enable the endpoint first');
}

export function tooMany(): ProblemError {
  const detail = 'Delete those that nobody needs any more';
  return new ProblemError(409, 'too_many_webhook_endpoints', detail);
}

export function refused(error: unknown): never {
  if (isUniqueViolation(error)) {
    throw new ProblemError(409, 'url_taken', 'There is an endpoint with this URL already');
  }
  // Deleted since `requires` found it.
  if (isForeignKeyViolation(error)) throw organizationNotFound();
  throw error;
}
