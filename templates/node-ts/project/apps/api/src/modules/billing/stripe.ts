import type { Stripe } from 'stripe';
import type { Database } from '../../db/database.ts';
import { ProblemError } from '../../http/problems.ts';
import type { Catalogue, Env } from './catalogue.ts';

/** How long an answer of Stripe's may take. */
const TIMEOUT_MS = 10_000;
const NEEDED = ['STRIPE_SECRET_KEY', 'STRIPE_WEBHOOK_SECRET'];

export type Connect = () => Promise<Stripe>;

/** What everything in this module works with. */
export interface BillingParts {
  readonly database: Database;
  readonly catalogue: Catalogue;
  readonly env: Env;
  readonly connect: Connect;
}

/** Opens the client when it is asked for first: who does not use Stripe never loads it. */
export function connectWith(env: Env): Connect {
  let client: Promise<Stripe> | undefined;
  return () => {
    client ??= open(env);
    return client;
  };
}

async function open(env: Env): Promise<Stripe> {
  const { default: Client } = await import('stripe');
  const { protocol, hostname, port } = new URL(env.STRIPE_API_URL);
  return new Client(env.STRIPE_SECRET_KEY ?? '', {
    protocol: protocol === 'http:' ? 'http' : 'https',
    host: hostname,
    port: port || (protocol === 'http:' ? 80 : 443),
    timeout: TIMEOUT_MS,
    maxNetworkRetries: 1,
    telemetry: false,
  });
}

/** Whether people can pay. */
export function isConfigured(env: Env): boolean {
  return NEEDED.every((name) => env[name] !== undefined);
}

/** For `preParsing`: without its settings nothing else of a request is looked at. */
export function refuseUnconfigured(env: Env) {
  return async () => {
    const missing = NEEDED.filter((name) => env[name] === undefined);
    if (missing.length === 0) return;
    throw notConfigured(missing.join(' and '));
  };
}

export function notConfigured(variables: string): ProblemError {
  return new ProblemError(503, 'billing_not_configured', `Set ${variables} to let people pay`);
}

/** Stripe's errors have a `type` each, so that nobody has to load Stripe to know them. */
function typeOf(error: unknown): string | undefined {
  return error instanceof Error && 'type' in error ? String(error.type) : undefined;
}

/** Whether Stripe did the request or not, nobody knows: it failed on its side, or was not reached. */
export function isOutage(error: unknown): boolean {
  const type = typeOf(error) ?? '';
  return ['StripeConnectionError', 'StripeAPIError', 'StripeRateLimitError'].includes(type);
}

/** Whether Stripe has failed with an answer, which it keeps for the idempotency key of the request. */
export function isKeptFailure(error: unknown): boolean {
  return typeOf(error) === 'StripeAPIError';
}

/** Whether what was asked for does not exist there. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'resource_missing';
}

/** For routes: what Stripe fails with would be taken for an answer of ours. */
export async function askStripe<Answer>(work: () => Promise<Answer>): Promise<Answer> {
  try {
    return await work();
  } catch (error) {
    if (isOutage(error)) {
      throw new ProblemError(503, 'stripe_unavailable', 'Stripe cannot be reached: try again');
    }
    if (typeOf(error)?.startsWith('Stripe')) {
      throw new Error(`Stripe refused: ${(error as Error).message}`);
    }
    throw error;
  }
}
