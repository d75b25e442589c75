import { isIP } from 'node:net';
import { z } from 'zod';

export type Environment = Readonly<Record<string, string | undefined>>;

/** What the configuration needs to know of a module. */
export interface ConfiguredModule<Env extends z.ZodRawShape = z.ZodRawShape> {
  readonly name: string;
  /** The module's own environment variables, checked at start with all the others. */
  readonly env?: Env;
}

const DEVELOPMENT_SECRET = 'for-development-only-9f2c61e07b4d8a35';
const LOCAL_HOSTS = ['localhost', '127.0.0.1', '[::1]'];

const flag = z.enum(['true', 'false']).transform((value) => value === 'true');
const count = (fallback: number, min = 1) => z.coerce.number().int().min(min).default(fallback);
const list = z
  .string()
  .default('')
  .transform((value) =>
    value
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== ''),
  );

const origins = list.pipe(
  z.array(
    z.string().refine((value) => URL.canParse(value) && new URL(value).origin === value, {
      error: 'must be origins such as https://app.example.com, with no path and no wildcard',
    }),
  ),
);

const proxies = list
  .refine((parts) => isHopCount(parts) || parts.every(isProxyAddress), {
    error: 'must be a number of proxies or a list of their addresses (10.0.0.0/8, loopback)',
  })
  .transform((parts) => {
    if (parts.length === 0) return false;
    if (!isHopCount(parts)) return parts;
    const hops = Number(parts[0]);
    return (_address: string, hop: number) => hop < hops;
  });

function isHopCount(parts: readonly string[]): boolean {
  return parts.length === 1 && /^\d$/.test(parts[0] ?? '');
}

function isProxyAddress(part: string): boolean {
  if (['loopback', 'linklocal', 'uniquelocal'].includes(part)) return true;
  const [address = '', bits = '0', ...rest] = part.split('/');
  return isIP(address) > 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= 128 && rest.length === 0;
}

/** What the application itself reads from the environment; modules add their own. */
export const settings = {
  NODE_ENV: z.enum(['development', 'test', 'production']).default('development'),
  HOST: z.string().default('127.0.0.1'),
  PORT: z.coerce.number().int().min(0).max(65_535).default(3000),
  METRICS_PORT: z.coerce.number().int().min(0).max(65_535).optional(),
  OTEL_EXPORTER_OTLP_ENDPOINT: z.url({ protocol: /^https?$/ }).optional(),
  OTEL_SERVICE_NAME: z.string().default('api'),
  OTEL_TRACES_SAMPLER_ARG: z.coerce.number().min(0).max(1).default(1),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  PUBLIC_URL: z.url({ protocol: /^https?$/ }).optional(),
  APP_URL: z.url({ protocol: /^https?$/ }).optional(),
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }).optional(),
  MIGRATION_DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }).optional(),
  DATABASE_POOL_MAX: count(10),
  DATABASE_CONNECT_TIMEOUT_MS: count(5_000, 0),
  DATABASE_STATEMENT_TIMEOUT_MS: count(10_000, 0),
  DATABASE_LOCK_TIMEOUT_MS: count(5_000, 0),
  DATABASE_IDLE_IN_TRANSACTION_TIMEOUT_MS: count(10_000, 0),
  DATABASE_ANSWER_TIMEOUT_MS: count(11_000, 0),
  DATA_DIR: z.string().optional(),
  ALLOW_EMBEDDED_DATABASE: flag.default(false),
  MIGRATE_ON_START: flag.optional(),
  AUTH_SECRET: z
    .string()
    .refine((value) => value.trim().length >= 32, 'must have at least 32 characters')
    .optional(),
  MAIL_URL: z
    .url({ protocol: /^(log|smtps?)$/, abort: true })
    .refine((value) => /^(log:|smtps?:\/\/.)/.test(value), 'must name a host, or be log:')
    .optional(),
  MAIL_FROM: z.string().includes('@', 'must be an e-mail address').default('no-reply@localhost'),
  JOBS_IN_PROCESS: flag.default(true),
  JOBS_CONCURRENCY: count(4),
  JOBS_LISTEN: flag.default(true),
  CORS_ORIGINS: origins,
  TRUST_PROXY: proxies,
  BODY_LIMIT: count(1_048_576),
  REQUEST_TIMEOUT_MS: count(30_000, 0),
  HEADERS_TIMEOUT_MS: count(10_000, 0),
  CONNECTION_TIMEOUT_MS: count(120_000, 0),
  KEEP_ALIVE_TIMEOUT_MS: count(72_000, 0),
  OVERLOAD_EVENT_LOOP_DELAY_MS: count(500, 0),
  OVERLOAD_DATABASE_WAITING: count(100, 0),
  RATE_LIMIT_MAX: count(300),
  AUTH_RATE_LIMIT_MAX: count(10),
  ACCOUNT_RATE_LIMIT_MAX: count(20),
  ACCOUNT_MAIL_LIMIT_MAX: count(5),
  ORGANIZATIONS_PER_USER: count(10),
  SHUTDOWN_DELAY_MS: count(0, 0),
  SHUTDOWN_TIMEOUT_MS: count(10_000),
};

const Settings = z.object(settings);
type Settings = z.output<typeof Settings>;

export interface Config extends Settings {
  readonly PUBLIC_URL: string;
  readonly APP_URL: string;
  readonly AUTH_SECRET: string;
  readonly MAIL_URL: string;
  readonly MIGRATE_ON_START: boolean;
  /** Each module's own settings, by the module's name. */
  readonly modules: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** Everything that is wrong with the environment, one line for each problem. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`The configuration is not valid:\n${problems.map((line) => `  ${line}`).join('\n')}`);
    this.problems = problems;
  }
}

/** Reads and checks the whole environment before anything starts. */
export function loadConfig(env: Environment, modules: readonly ConfiguredModule[] = []): Config {
  // An empty variable counts as absent: that is how compose files and CI leave one out.
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const core = Settings.safeParse(given);
  const slices = modules.map((module) => ({
    name: module.name,
    parsed: z.object(module.env ?? {}).safeParse(given),
  }));

  const problems = [core, ...slices.map((slice) => slice.parsed)].flatMap(describeIssues);
  problems.push(...refuseUnsafeDefaults(given));
  if (!core.success || problems.length > 0) throw new ConfigError(problems);

  return withDefaults(
    core.data,
    Object.fromEntries(slices.map((slice) => [slice.name, slice.parsed.data ?? {}])),
  );
}

function describeIssues(result: z.ZodSafeParseResult<unknown>): string[] {
  return (result.error?.issues ?? []).map((issue) => `${String(issue.path[0])}: ${issue.message}`);
}

// Looks at the raw values, so that these problems are listed even where another one stops the parsing.
function refuseUnsafeDefaults(env: Environment): string[] {
  if (env.NODE_ENV !== 'production') return [];
  const rules: readonly [boolean, string][] = [
    [!env.AUTH_SECRET, 'AUTH_SECRET: is required in production (openssl rand -base64 32)'],
    [env.AUTH_SECRET === DEVELOPMENT_SECRET, 'AUTH_SECRET: is the one for development'],
    [!env.PUBLIC_URL, 'PUBLIC_URL: is required in production, such as https://api.example.com'],
    [isPlainHttp(env.PUBLIC_URL), 'PUBLIC_URL: must begin with https:// in production'],
    [isPlainHttp(env.APP_URL), 'APP_URL: must begin with https:// in production'],
    [!env.MAIL_URL, 'MAIL_URL: is required in production (log: writes mail to the log)'],
    [
      !env.DATABASE_URL && env.ALLOW_EMBEDDED_DATABASE !== 'true',
      'DATABASE_URL: is required in production, unless ALLOW_EMBEDDED_DATABASE=true',
    ],
  ];
  return rules.filter(([broken]) => broken).map(([, message]) => message);
}

function isPlainHttp(text: string | undefined): boolean {
  const url = URL.parse(text ?? '');
  return url?.protocol === 'http:' && !LOCAL_HOSTS.includes(url.hostname);
}

function withDefaults(config: Settings, modules: Config['modules']): Config {
  const embedded = config.DATABASE_URL === undefined;
  const publicUrl = new URL(config.PUBLIC_URL ?? `http://localhost:${config.PORT}`).origin;
  return {
    ...config,
    PUBLIC_URL: publicUrl,
    // A path is possible; what follows it begins with a slash.
    APP_URL: (config.APP_URL ?? publicUrl).replace(/\/+$/, ''),
    AUTH_SECRET: config.AUTH_SECRET ?? DEVELOPMENT_SECRET,
    MAIL_URL: config.MAIL_URL ?? 'log:',
    // Nobody else can open the embedded database.
    JOBS_IN_PROCESS: embedded || config.JOBS_IN_PROCESS,
    MIGRATE_ON_START: config.MIGRATE_ON_START ?? (embedded || config.NODE_ENV !== 'production'),
    modules,
  };
}
