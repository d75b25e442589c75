import type { ClientBase } from 'pg';
import { traces } from '../traces/traces.ts';

type Query = (...given: unknown[]) => unknown;

/** A span for each statement of a connection: what it does, never with which values. */
export function traceStatements(client: ClientBase): void {
  const on = traces();
  if (!on) return;
  const query: Query = client.query.bind(client) as Query;
  const traced: Query = (...given) => {
    const text = textOf(given[0]);
    const callback = given.findIndex((each) => typeof each === 'function');
    if (text === undefined) return query(...given);
    const [name = ''] = /^\w+/.exec(text.trim()) ?? [];
    const attributes = { 'db.system.name': 'postgresql', 'db.query.text': withoutValues(text) };
    const step = { name: name.toLowerCase(), attributes };
    if (callback < 0) return on.step(step, async () => query(...given));
    const tell = given[callback] as (error: unknown, result?: unknown) => void;
    const before = given.slice(0, callback);
    void on.step(step, async () => query(...before)).then((result) => tell(null, result), tell);
    return undefined;
  };
  client.query = traced as typeof client.query;
}

function textOf(given: unknown): string | undefined {
  if (typeof given === 'string') return given;
  const text = (given as { readonly text?: unknown } | null)?.text;
  const isSubmittable =
    typeof (given as { readonly submit?: unknown } | null)?.submit === 'function';
  return typeof text === 'string' && !isSubmittable ? text : undefined;
}

/** Values are parameters, but for those that begin a transaction: see `beginWith`. */
function withoutValues(text: string): string {
  return text.replaceAll(/'(?:[^']|'')*'/g, "'?'");
}
