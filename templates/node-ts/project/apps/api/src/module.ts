import type { z } from 'zod';
import type { Requires } from './auth/access.ts';
import type { Auth } from './auth/better-auth.ts';
import type { Config, ConfiguredModule } from './config.ts';
import type { Database } from './db/database.ts';
import type { App } from './http/app.ts';
import type { Metrics } from './metrics/metrics.ts';
import type { Event, Publish } from './queue/event.ts';
import type { JobHandler } from './queue/job.ts';

/** What the application hands to a module. */
export interface Services {
  readonly config: Config;
  readonly database: Database;
  readonly auth: Auth;
  /** `requires('project:read')` is the hook that guards a route. */
  readonly requires: Requires;
  /** `publish(tx, taskDue, { taskId })` tells every module that subscribes to it: see queue/event.ts. */
  readonly publish: Publish;
  /** What operators are to know of. */
  readonly metrics: Metrics;
  /** What all modules offer to tell organizations of. */
  readonly offered: readonly Event[];
}

export interface AppModule<Env extends z.ZodRawShape = z.ZodRawShape>
  extends ConfiguredModule<Env> {
  /** Its events of which organizations may be told by webhooks: name and payload are then part of the API. */
  readonly offers?: readonly Event[];
  register(app: App, services: Services, env: z.output<z.ZodObject<Env>>): void | Promise<void>;
  /**
   * What it does later, or when it hears of an event. It runs where the routes are, or in a process of
   * its own (`npm run worker`).
   */
  jobs?(services: Services, env: z.output<z.ZodObject<Env>>): readonly JobHandler[];
}

/** Declares a module; it lives when its line stands in modules/index.ts. */
export function defineModule<const Env extends z.ZodRawShape = Record<never, never>>(
  module: AppModule<Env>,
): AppModule {
  return module;
}
