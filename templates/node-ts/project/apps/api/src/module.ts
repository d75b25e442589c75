import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { z } from 'zod';
import type { Config } from './config.ts';
import type { Database } from './db/database.ts';
import type { Mailer } from './mail/mailer.ts';
import type { Requires } from './modules/auth/access.ts';
import type { Auth } from './modules/auth/better-auth.ts';

/** The Fastify instance as every module sees it: schemas are zod. */
export type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;

/** What the application hands to a module. */
export interface Services {
  readonly config: Config;
  readonly database: Database;
  readonly mailer: Mailer;
  readonly auth: Auth;
  /** `requires('project:read')` is the hook that guards a route. */
  readonly requires: Requires;
}

export interface AppModule<Env extends z.ZodRawShape = z.ZodRawShape> {
  readonly name: string;
  /** The module's own environment variables, checked at start with all the others. */
  readonly env?: Env;
  register(app: App, services: Services, env: z.output<z.ZodObject<Env>>): void | Promise<void>;
}

/** Declares a module; it lives when its line stands in modules/index.ts. */
export function defineModule<const Env extends z.ZodRawShape = Record<never, never>>(
  module: AppModule<Env>,
): AppModule {
  return module as unknown as AppModule;
}
