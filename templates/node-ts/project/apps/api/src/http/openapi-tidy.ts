import { STATUS_CODES } from 'node:http';
import { PROBLEM_TYPE } from './problems.ts';

/** The header's name among the components. */
export const RETRY_AFTER = 'RetryAfter';
/** The problems that pass: their answers say when. */
const PASSING = ['429', '503'];

const REFERENCE = '#/components/schemas/';
const INPUT = 'Input';

/**
 * The zod provider lists every schema twice, as input and as output. Readers and client
 * generators want those that are used, under the names that we gave them; and a list of all tags.
 * Headers of answers the provider leaves out.
 */
export function tidyDocument<Document extends object>(document: Document): Document {
  const tidy = structuredClone(document) as Document & Described;
  tidy.tags = tagsOf(tidy);
  const schemas = tidy.components?.schemas ?? {};
  dropUnused(tidy, schemas);

  const names = new Map<string, string>();
  for (const name of Object.keys(schemas)) {
    const given = name.endsWith(INPUT) ? name.slice(0, -INPUT.length) : name;
    names.set(name, given in schemas ? name : given);
  }
  if (tidy.components) {
    tidy.components.schemas = Object.fromEntries(
      Object.entries(schemas)
        .map(([name, schema]) => [names.get(name) ?? name, schema] as const)
        // Whichever route happens to name one first.
        .toSorted(([one], [other]) => (one < other ? -1 : 1)),
    );
  }
  return JSON.parse(JSON.stringify(tidy), (key, value: unknown) => {
    if (key === '$ref' && typeof value === 'string') return renamed(value, names);
    return isRecord(value) && key in STATUS_CODES ? described(key, value) : value;
  }) as Document;
}

type Schemas = Record<string, unknown>;

interface Described {
  components?: { schemas?: Schemas };
  paths?: Record<string, Record<string, { tags?: string[] }>>;
  tags?: { name: string }[];
}

function tagsOf({ paths = {} }: Described): { name: string }[] {
  const operations = Object.values(paths).flatMap((methods) => Object.values(methods));
  const names = new Set(operations.flatMap(({ tags = [] }) => tags));
  return [...names].map((name) => ({ name }));
}

/** Again and again, because what only an unused schema refers to is unused too. */
function dropUnused(document: object, schemas: Schemas): void {
  for (;;) {
    const text = JSON.stringify(document);
    const unused = Object.keys(schemas).filter((name) => !text.includes(`"${REFERENCE}${name}"`));
    if (unused.length === 0) return;
    for (const name of unused) delete schemas[name];
  }
}

function renamed(reference: string, names: ReadonlyMap<string, string>): string {
  if (!reference.startsWith(REFERENCE)) return reference;
  const name = reference.slice(REFERENCE.length);
  return `${REFERENCE}${names.get(name) ?? name}`;
}

function described(status: string, response: Record<string, unknown>) {
  const isDefault = response.description === 'Default Response';
  const { content } = response;
  const passes = PASSING.includes(status) && isRecord(content) && PROBLEM_TYPE in content;
  return {
    ...response,
    ...(isDefault && { description: STATUS_CODES[status] }),
    ...(passes && { headers: { 'retry-after': { $ref: `#/components/headers/${RETRY_AFTER}` } } }),
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
