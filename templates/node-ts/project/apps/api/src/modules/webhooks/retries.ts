const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** Before each attempt but the first: about three days in all, as Standard Webhooks has it. */
const PAUSES_MS = [
  5_000,
  5 * MINUTE_MS,
  30 * MINUTE_MS,
  2 * HOUR_MS,
  5 * HOUR_MS,
  10 * HOUR_MS,
  14 * HOUR_MS,
  20 * HOUR_MS,
  24 * HOUR_MS,
];
/** No receiver is obeyed for longer. */
const LONGEST_WISH_MS = 24 * HOUR_MS;
/** So that what has failed together does not come back together. */
const JITTER = 0.2;

/** Undefined once there were enough. */
export function nextAttempt(attemptsMade: number, notBefore: Date | null): Date | undefined {
  const pause = PAUSES_MS[attemptsMade - 1];
  if (pause === undefined) return undefined;
  const due = Date.now() + pause * (1 + Math.random() * JITTER);
  return new Date(Math.max(due, notBefore?.getTime() ?? 0));
}

/** Seconds or a date, and never longer than a day; null where it says nothing that can be read. */
export function readRetryAfter(header: string | undefined, now = Date.now()): Date | null {
  const text = header?.trim() ?? '';
  const wish = /^\d+$/.test(text) ? now + Number(text) * 1_000 : readDate(text);
  if (Number.isNaN(wish) || wish <= now) return null;
  return new Date(Math.min(wish, now + LONGEST_WISH_MS));
}

/** An HTTP date alone: JavaScript takes much else for one, such as `-1`. */
function readDate(text: string): number {
  return /^[A-Z][a-z]{2,8},? .*GMT$/.test(text) ? Date.parse(text) : Number.NaN;
}
