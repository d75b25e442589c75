import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type ConfigError, loadConfig, settings } from '../src/config.ts';
import { defineModule } from '../src/module.ts';
import { modules } from '../src/modules/index.ts';

const PRODUCTION = {
  NODE_ENV: 'production',
  AUTH_SECRET: 'x'.repeat(32),
  PUBLIC_URL: 'https://api.example.com',
  MAIL_URL: 'smtp://mail.example.com',
  DATABASE_URL: 'postgresql://app@db/app',
};

function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    loadConfig(env, modules);
    return [];
  } catch (error) {
    return (error as ConfigError).problems;
  }
}

describe('the configuration', () => {
  it('needs nothing in development', () => {
    expect(loadConfig({}, modules)).toMatchObject({
      HOST: '127.0.0.1',
      PORT: 3000,
      PUBLIC_URL: 'http://localhost:3000',
      MIGRATE_ON_START: true,
      TRUST_PROXY: false,
    });
  });

  it('lists every problem at once', () => {
    const env = { PORT: 'http', LOG_LEVEL: 'loud', CORS_ORIGINS: '*', DATABASE_URL: 'mysql://x' };
    expect(problemsOf(env).map((line) => line.split(':')[0])).toEqual([
      'PORT',
      'LOG_LEVEL',
      'DATABASE_URL',
      'CORS_ORIGINS',
    ]);
  });

  it('lists what production lacks beside what cannot be parsed', () => {
    const names = problemsOf({ NODE_ENV: 'production', PORT: 'http' }).map((l) => l.split(':')[0]);
    expect(names).toEqual(['PORT', 'AUTH_SECRET', 'PUBLIC_URL', 'MAIL_URL', 'DATABASE_URL']);
  });

  it('takes an empty variable for an absent one', () => {
    expect(loadConfig({ PORT: '', DATABASE_URL: '' }, modules).PORT).toBe(3000);
  });

  it('accepts what production needs, and leaves migrating to `npm run migrate`', () => {
    expect(loadConfig(PRODUCTION, modules).MIGRATE_ON_START).toBe(false);
  });

  it.each([
    [{ AUTH_SECRET: '' }, 'AUTH_SECRET'],
    [{ AUTH_SECRET: 'short' }, 'AUTH_SECRET'],
    [{ AUTH_SECRET: 'for-development-only-9f2c61e07b4d8a35' }, 'AUTH_SECRET'],
    [{ PUBLIC_URL: '' }, 'PUBLIC_URL'],
    [{ PUBLIC_URL: 'http://api.example.com' }, 'PUBLIC_URL'],
    [{ MAIL_URL: '' }, 'MAIL_URL'],
    [{ DATABASE_URL: '' }, 'DATABASE_URL'],
  ])('refuses production with %j', (env, name) => {
    const problems = problemsOf({ ...PRODUCTION, ...env });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(new RegExp(`^${name}: `));
  });

  it('lets production use the embedded database when told to', () => {
    const env = { ...PRODUCTION, DATABASE_URL: '', ALLOW_EMBEDDED_DATABASE: 'true' };
    expect(loadConfig(env, modules).MIGRATE_ON_START).toBe(true);
  });

  const WRONG = [
    'true',
    '*',
    '10.0.0.0/99999',
    '10.0.0.0/',
    'proxy.local',
    '1,2',
    '10',
    '-1',
    '1.5',
  ];
  it.each(WRONG)('never trusts proxy %j', (value) => {
    expect(problemsOf({ TRUST_PROXY: value })).toEqual([
      expect.stringMatching(/^TRUST_PROXY: must be a number of proxies or a list/),
    ]);
  });

  it.each(['1', '1,', ' 1 '])('trusts one proxy, and no second one, with %j', (value) => {
    const trusts = loadConfig({ TRUST_PROXY: value }, modules).TRUST_PROXY;
    expect(trusts).toBeInstanceOf(Function);
    if (typeof trusts !== 'function') return;
    expect([0, 1, 2].map((hop) => trusts('10.0.0.1', hop))).toEqual([true, false, false]);
  });

  it('trusts the proxies that are listed, and none when the list is empty', () => {
    const trusts = (value: string) => loadConfig({ TRUST_PROXY: value }, modules).TRUST_PROXY;
    expect(trusts('10.0.0.0/8, ::1, loopback,')).toEqual(['10.0.0.0/8', '::1', 'loopback']);
    expect(trusts(',')).toBe(false);
  });

  it.each([
    ['PORT', ['-1', '65536', '80.5']],
    ['DATABASE_POOL_MAX', ['0', '-1', 'many']],
    ['BODY_LIMIT', ['0', '1e999']],
    ['RATE_LIMIT_MAX', ['0']],
    ['REQUEST_TIMEOUT_MS', ['-1', '1s']],
    ['CORS_ORIGINS', ['https://a.example/', 'https://a.example/path', 'a.example', '*', 'null']],
    ['MIGRATE_ON_START', ['yes', '1', 'TRUE']],
    ['PUBLIC_URL', ['ftp://api.example.com', 'api.example.com']],
    ['MAIL_URL', ['http://mail.example.com', 'smtp:', 'smtps:']],
    ['MAIL_FROM', ['nonsense']],
    ['AUTH_SECRET', ['x'.repeat(31), ' '.repeat(32)]],
  ])('refuses what %s cannot be', (name, values) => {
    for (const value of values) {
      expect(problemsOf({ [name]: value }), value).toEqual([
        expect.stringMatching(new RegExp(`^${name}: `)),
      ]);
    }
  });

  it('checks the settings of modules with all the others, and hands them over', () => {
    const weather = defineModule({
      name: 'weather',
      env: { WEATHER_URL: z.url() },
      register: () => undefined,
    });
    const env = { WEATHER_URL: 'https://weather.example' };
    expect(loadConfig(env, [weather]).modules.weather).toEqual(env);
    expect(() => loadConfig({ PORT: 'x' }, [weather])).toThrow(/PORT.*\n.*WEATHER_URL/);
  });
});

/** In the file because compose.yaml reads it there. */
const FOR_COMPOSE = ['POSTGRES_PASSWORD'];

describe('.env.example', () => {
  const text = readFileSync(new URL('../../../.env.example', import.meta.url), 'utf8');
  const lines = [...text.matchAll(/^#?([A-Z][A-Z_]+)=(.*)$/gm)];
  const documented = lines.map(([, name]) => name);

  it('names every setting and no other', () => {
    const known = [settings, ...modules.map((module) => module.env ?? {})].flatMap(Object.keys);
    expect(documented.toSorted()).toEqual([...known, ...FOR_COMPOSE].toSorted());
  });

  it('shows values that are valid', () => {
    const env = Object.fromEntries(lines.map(([, name, value]) => [name, value]));
    expect(() => loadConfig(env, modules)).not.toThrow();
  });
});
