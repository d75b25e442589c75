import type { Server } from 'node:http';
import fastify from 'fastify';
import {
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from 'fastify-type-provider-zod';
import { createRequires } from './auth/access.ts';
import { createApiKeys } from './auth/api-keys.ts';
import { joining } from './auth/atomic.ts';
import { createAttempts } from './auth/attempts.ts';
import { createAuth } from './auth/better-auth.ts';
import { registerAuth } from './auth/index.ts';
import { authJobs } from './auth/jobs.ts';
import { createPostbox } from './auth/postbox.ts';
import type { Config } from './config.ts';
import { measureConnections } from './db/connections.ts';
import type { Database } from './db/database.ts';
import type { App } from './http/app.ts';
import { connectionOptions } from './http/connections.ts';
import { registerNotModified } from './http/etag.ts';
import { loggerOptions, RequestLines, registerCurrentRequest, requestId } from './http/logging.ts';
import { watchMethods } from './http/method-not-allowed.ts';
import { registerOpenApi } from './http/openapi.ts';
import { registerOverload } from './http/overload.ts';
import { refuseOtherSpellings } from './http/plain-path.ts';
import { limitNotFound, registerProblems, sendError } from './http/problems.ts';
import { measureRequests } from './http/requests.ts';
import { registerSecurity } from './http/security.ts';
import { traceRequests } from './http/traces.ts';
import { createMailer, type Mailer } from './mail/mailer.ts';
import { sendWith } from './mail/post.ts';
import { type Metrics, noMetrics } from './metrics/metrics.ts';
import type { AppModule, Services } from './module.ts';
import { measureBacklog } from './queue/backlog.ts';
import { Subscribers } from './queue/event.ts';
import type { JobHandler } from './queue/job.ts';
import { JobWorker } from './queue/worker.ts';

export interface AppOptions {
  readonly config: Config;
  readonly database: Database;
  readonly modules: readonly AppModule[];
  /** Whether /api/auth is served: everywhere but in processes that only work in the background. */
  readonly authRoutes?: boolean;
  /** Whose jobs it runs, whatever JOBS_IN_PROCESS says; else the modules'. */
  readonly jobsOf?: readonly AppModule[];
  readonly mailer?: Mailer;
  /** Where it says what operators are to know of, where somebody asks. */
  readonly metrics?: Metrics;
  /** Where log lines go instead of to standard output. */
  readonly logStream?: { write(line: string): void };
}

/** Puts the application together; it neither listens nor migrates. */
export async function buildApp(options: AppOptions): Promise<App> {
  const { config, database, metrics = noMetrics } = options;
  const app = createServer(options);
  const mailer = options.mailer ?? (await createMailer(config.MAIL_URL, config.MAIL_FROM, app.log));
  const accounts = joining(database);
  const attempts = createAttempts(accounts);
  const postbox = createPostbox(accounts);
  const auth = createAuth({ config, database: accounts, attempts, postbox, log: app.log });
  const apiKeys = createApiKeys({ config, database, log: app.log });
  app.addHook('onClose', async () => void (await apiKeys.settled()));
  const requires = createRequires(auth, database, apiKeys);
  const subscribers = new Subscribers();
  const { publish } = subscribers;
  const offered = (options.jobsOf ?? options.modules).flatMap(({ offers }) => offers ?? []);
  const services: Services = { config, database, auth, requires, publish, metrics, offered };
  const own = [sendWith(mailer, metrics), ...authJobs({ auth, config, database })];
  const handlers = [...own, ...jobsOf(services, options)];
  subscribers.add(handlers);

  measureConnections(metrics, database);
  measureBacklog(metrics, database);
  // No request pays for what nobody asks for.
  if (options.metrics) measureRequests(app, options.metrics);
  traceRequests(app);
  registerProblems(app);
  registerCurrentRequest(app);
  registerRequestHeaders(app);
  registerNotModified(app);
  refuseOtherSpellings(app);
  const answerOtherMethods = watchMethods(app);
  await registerSecurity(app, config);
  limitNotFound(app);
  await registerOverload(app, config, database, metrics);
  await registerOpenApi(app);
  if (options.authRoutes ?? true) {
    await registerAuth(app, { config, database, auth, attempts });
  }
  for (const module of options.modules) {
    const env = { ...config.modules[module.name] };
    await app.register(async (scope: App) => module.register(scope, services, env));
  }
  registerJobs(app, handlers, options);
  answerOtherMethods();
  return app;
}

function jobsOf(services: Services, options: AppOptions): JobHandler[] {
  return (options.jobsOf ?? options.modules).flatMap(
    (module) => module.jobs?.(services, { ...services.config.modules[module.name] }) ?? [],
  );
}

/** Jobs are run as long as the application listens. */
function registerJobs(app: App, handlers: readonly JobHandler[], options: AppOptions): void {
  const { config, database, metrics = noMetrics } = options;
  const works = options.jobsOf !== undefined || config.JOBS_IN_PROCESS;
  const worker = new JobWorker({
    database,
    handlers,
    concurrency: config.JOBS_CONCURRENCY,
    listen: config.JOBS_LISTEN,
    log: app.log,
    metrics,
  });
  app.decorate('jobs', worker);
  if (works) app.addHook('onListen', async () => void worker.start());
  app.addHook('preClose', () => worker.stop(config.SHUTDOWN_TIMEOUT_MS / 2));
}

/** How long a plugin may take to register. */
const START_LIMIT_MS = 10_000;

function createServer({ config, logStream }: AppOptions): App {
  const logger = loggerOptions(config);
  const app = fastify<Server>({
    logger: logStream ? { ...logger, stream: logStream } : logger,
    logController: new RequestLines(),
    genReqId: requestId,
    trustProxy: config.TRUST_PROXY,
    bodyLimit: config.BODY_LIMIT,
    // Also of hooks that run at the end, which has a limit of its own.
    pluginTimeout: START_LIMIT_MS + config.SHUTDOWN_TIMEOUT_MS,
    // Longer than what contracts allow, so that they say what is wrong.
    routerOptions: { maxParamLength: 1_000 },
    ...connectionOptions(config),
    // Addresses that cannot be decoded never reach a route, so they come here.
    frameworkErrors: (error, request, reply) => void sendError(error, request, reply),
  }).withTypeProvider<ZodTypeProvider>();

  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.removeContentTypeParser('text/plain');
  return app;
}

function registerRequestHeaders(app: App): void {
  app.decorate('draining', false);
  app.decorate('dependencies', new Map());
  app.decorateRequest('access', null);
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id);
    // Answers are somebody's own unless their route says otherwise.
    reply.header('cache-control', 'no-store');
  });
  app.addHook('onSend', async (_request, reply) => {
    // Kept connections would come back to a server that is going away, and it would wait for them.
    if (app.draining) reply.header('connection', 'close');
  });
}

declare module 'fastify' {
  interface FastifyInstance {
    /** Set at SIGTERM: the instance still answers, but wants no new work. */
    draining: boolean;
    /** Runs jobs once it is started. */
    jobs: JobWorker;
    /** What /readyz tells of services that the application can do without for a while. */
    dependencies: Map<string, () => Promise<boolean>>;
  }
}
