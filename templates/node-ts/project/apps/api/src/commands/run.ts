import { ConfigError } from '../config.ts';
import { DatabaseInUseError } from '../db/directory-lock.ts';
import { sqlState } from '../db/errors.ts';
import { TenantRoleError } from '../db/grants.ts';
import { describeError } from '../http/error-lines.ts';

const SETTING = 'DATABASE_URL (for migrations MIGRATION_DATABASE_URL, where it is set)';
const EXPLAINED = [ConfigError, DatabaseInUseError, TenantRoleError];

/** Runs a program; what its operator can repair is told in plain words, without a stack trace. */
export async function runOrExplain(program: () => Promise<void>): Promise<void> {
  try {
    await program();
  } catch (error) {
    console.error(explain(error) ?? describeError(error));
    process.exitCode = 1;
  }
}

function explain(error: unknown): string | undefined {
  if (error instanceof Error && EXPLAINED.some((known) => error instanceof known)) {
    return error.message;
  }
  switch (sqlState(error)) {
    case 'EADDRINUSE':
      return `${(error as Error).message}: another process has this port; set PORT to a free one`;
    case 'ECONNREFUSED':
    case 'ENOTFOUND':
      return `The database cannot be reached: is ${SETTING} right, and PostgreSQL running?`;
    case '28P01':
    case '28000':
    case '3D000':
      return `PostgreSQL refuses ${SETTING}: ${rootCause(error).message}`;
    default:
      return undefined;
  }
}

function rootCause(error: unknown): Error {
  let current = error as Error;
  while (current.cause instanceof Error) current = current.cause;
  return current;
}
