import { DrizzleQueryError } from 'drizzle-orm';

const UNIQUE_VIOLATION = '23505';
const FOREIGN_KEY_VIOLATION = '23503';
const CHECK_VIOLATION = '23514';

/** PostgreSQL's five-character error code or Node's, which drizzle keeps in the cause. */
export function sqlState(error: unknown): string | undefined {
  for (const each of causes(error)) {
    if ('code' in each && typeof each.code === 'string') return each.code;
  }
  return undefined;
}

/** Whether a row with the same unique values was there already. */
export function isUniqueViolation(error: unknown): boolean {
  return sqlState(error) === UNIQUE_VIOLATION;
}

/** Whether what a row belongs to is not there, or not any more. */
export function isForeignKeyViolation(error: unknown): boolean {
  return sqlState(error) === FOREIGN_KEY_VIOLATION;
}

/** Whether the database refused a row for what it holds. */
export function isCheckViolation(error: unknown): boolean {
  return sqlState(error) === CHECK_VIOLATION;
}

/** The rule for which the database refused a row, by its name, and what it said. */
export function brokenRule(error: unknown): { name: string; message: string } | undefined {
  if (!isCheckViolation(error)) return undefined;
  const found = causes(error).find((each) => 'constraint' in each);
  return (
    found && {
      name: String((found as { constraint?: unknown }).constraint),
      message: found.message,
    }
  );
}

// Classes 08 (connection) and 57P (shutdown, crash, starting up), too many connections, a transaction
// that was idle for too long; then what Node says of sockets and names.
const UNAVAILABLE =
  /^(08...|57P0[1-5]|53300|25P03|ECONN(REFUSED|RESET|ABORTED)|EPIPE|ETIMEDOUT|E(HOST|NET)UNREACH|ENOTFOUND|EAI_AGAIN)$/;
// What pg raises by itself has no code.
const UNAVAILABLE_MESSAGE =
  /^(Connection terminated|timeout e(xceeded when trying to connect|xpired)|Query read timeout|Client (has encountered a connection error|was closed) and is not queryable)/;

/** Whether the database could not be asked at all: away, restarting, frozen, or out of connections. */
export function isUnavailable(error: unknown): boolean {
  return causes(error).some((each) =>
    'code' in each && typeof each.code === 'string'
      ? UNAVAILABLE.test(each.code)
      : UNAVAILABLE_MESSAGE.test(each.message),
  );
}

// Statement or lock took too long, deadlock, serialization failure.
const BUSY = /^(57014|55P03|40P01|40001)$/;

/** Whether the database gave up on a statement that may succeed when it is tried again. */
export function isBusy(error: unknown): boolean {
  return BUSY.test(sqlState(error) ?? '');
}

/** Classes 22 and 23: values that cannot be read, and rows that break a rule. */
const REFUSED = /^2[23][0-9A-Z]{3}$/;

/** Whether the database did not do what it was asked, and not for what it was given. */
export function isFailure(error: unknown): boolean {
  if (isUnavailable(error) || isBusy(error)) return true;
  return error instanceof DrizzleQueryError && !REFUSED.test(sqlState(error) ?? '');
}

/** A statement failed, its error was caught, and the transaction went on: nothing of it was kept. */
export class RolledBackError extends Error {
  override readonly name = 'RolledBackError';

  constructor() {
    super('Rolled back: a statement of this transaction failed before (use a savepoint to go on)');
  }
}

function causes(error: unknown): Error[] {
  const found: Error[] = [];
  for (let current = error; current instanceof Error; current = current.cause) found.push(current);
  return found;
}
