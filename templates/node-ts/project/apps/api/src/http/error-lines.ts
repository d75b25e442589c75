import { DrizzleQueryError } from 'drizzle-orm';

/** What the log tells of an error: where and why, and none of the values that a statement was given. */
export interface ErrorLine {
  readonly [field: string]: unknown;
  readonly type: string;
  readonly message: string;
  readonly code?: string | number;
  readonly stack: string;
  readonly cause?: ErrorLine;
  readonly errors?: readonly ErrorLine[];
}

/**
 * Errors of databases carry values in many fields (`params`, `detail`, `where`, ...), so only those
 * fields are taken that are named here; and what a statement was given is cut out of every message.
 */
export function describeError(thrown: unknown): ErrorLine {
  const error = asError(thrown);
  const all = family(error);
  const values = all.flatMap(statementValues);
  const pattern = values.length > 0 ? anyOf(values) : undefined;
  const hide = (text: string) => (pattern ? text.replaceAll(pattern, HIDDEN) : text);

  const seen = new Set<unknown>();
  const describe = (each: unknown): ErrorLine => {
    if (!(each instanceof Error)) return describeOther(each, hide);
    if (seen.has(each)) return { type: each.constructor.name, message: 'told above', stack: '' };
    seen.add(each);
    // drizzle's holds the statement, whose own words a value may repeat.
    const message = each instanceof DrizzleQueryError ? messageOf(each) : hide(messageOf(each));
    const { code } = each as { code?: unknown };
    return {
      type: each.constructor.name,
      message,
      ...((typeof code === 'string' || typeof code === 'number') && { code }),
      stack: hide(framesOf(each)),
      ...(each.cause !== undefined && { cause: describe(each.cause) }),
      ...(each instanceof AggregateError && { errors: each.errors.map(describe) }),
    };
  };
  return describe(error);
}

/** Some libraries hand on a copy of an error's fields, as pg-boss does when it has lost its database. */
function asError(thrown: unknown): unknown {
  if (thrown instanceof Error || typeof thrown !== 'object' || thrown === null) return thrown;
  const { message, stack } = thrown as { message?: unknown; stack?: unknown };
  if (typeof message !== 'string' || typeof stack !== 'string') return thrown;
  return Object.assign(new Error(message), thrown);
}

const HIDDEN = '[value]';

/** Anything can be thrown; of what is no error, only a text says something. */
function describeOther(thrown: unknown, hide: (text: string) => string): ErrorLine {
  return {
    type: typeof thrown,
    message: typeof thrown === 'string' ? hide(thrown) : 'something was thrown that is no error',
    stack: '',
  };
}

/** The error, its causes, and theirs. */
function family(error: unknown): Error[] {
  const found = new Set<Error>();
  const next = [error];
  while (next.length > 0) {
    const each = next.pop();
    if (!(each instanceof Error) || found.has(each)) continue;
    found.add(each);
    next.push(each.cause, ...(each instanceof AggregateError ? each.errors : []));
  }
  return [...found];
}

/** Class 22: values that PostgreSQL could not read, which it quotes, whole or in part. */
const UNREADABLE_VALUE = /^22[0-9A-Z]{3}$/;

function messageOf(error: Error): string {
  // drizzle adds the values; the statement itself has $1, $2, ... in their places.
  if (error instanceof DrizzleQueryError) return `Failed query: ${error.query}`;
  const { code } = error as { code?: unknown };
  if (typeof code !== 'string' || !UNREADABLE_VALUE.test(code)) return error.message;
  return error.message.replace(/".*"/s, `"${HIDDEN}"`);
}

/** A stack begins with the message, which may be of many lines: only what follows it is taken. */
function framesOf({ stack = '', message }: Error): string {
  const at = message === '' ? -1 : stack.indexOf(message);
  const frames = at < 0 ? stack : stack.slice(at + message.length);
  const lines = frames.split('\n').map((line) => line.trim());
  return lines.filter((line) => FRAME.test(line)).join('\n');
}

const FRAME = /^at .*(:\d+:\d+|<anonymous>|native)\)?$/;

/** Both drivers and drizzle keep the values beside the error. */
function statementValues(error: Error): string[] {
  const { params, parameters } = error as { params?: unknown; parameters?: unknown };
  return [params, parameters].flatMap(texts).filter((text) => text !== '');
}

function texts(value: unknown): string[] {
  if (value === null || value === undefined || typeof value === 'boolean') return [];
  if (Array.isArray(value)) return value.flatMap(texts);
  if (value instanceof Date) return [value.toISOString(), String(value)];
  return typeof value === 'object' ? [JSON.stringify(value)] : [String(value)];
}

/** Anywhere in a text; the shortest only as words of their own, or no other word would be left whole. */
function anyOf(values: readonly string[]): RegExp {
  const longestFirst = [...new Set(values)].toSorted((a, b) => b.length - a.length);
  const patterns = longestFirst.map((value) => {
    const literal = value.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
    return value.length < 4 ? `(?<![\\w])${literal}(?![\\w])` : literal;
  });
  return new RegExp(patterns.join('|'), 'g');
}
