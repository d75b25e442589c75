/** As much of JSON schema as the OpenAPI document uses for bodies. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly format?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly minimum?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
}

interface Document {
  readonly components: { readonly schemas: object };
}

/** A body that a schema lets through: what is required (all, if nothing is), and what `given` knows. */
export function exampleOf(
  document: Document,
  schema: Schema | undefined,
  text: string,
  given: (name: string) => string | undefined,
): object | undefined {
  if (schema === undefined) return undefined;
  const schemas = document.components.schemas as Record<string, Schema>;
  const example = (each: Schema): unknown => {
    if (each.$ref) return example(schemas[each.$ref.split('/').at(-1) ?? ''] ?? {});
    if (each.anyOf?.some(({ type }) => type === 'null')) return null;
    if (each.anyOf?.[0]) return example(each.anyOf[0]);
    if (each.const !== undefined) return each.const;
    if (each.enum) return each.enum[0];
    if (each.type === 'object') return objectOf(each);
    if (each.type === 'array') return [example(each.items ?? {})];
    if (each.type === 'boolean') return true;
    if (each.type === 'number' || each.type === 'integer') return each.minimum ?? 1;
    if (each.format === 'uri') return `https://${text}.example.com/`;
    return each.format === 'email' ? `${text}@example.com` : text;
  };
  const objectOf = ({ properties = {}, required = [] }: Schema) =>
    Object.fromEntries(
      Object.entries(properties)
        .filter(([name]) => isWanted(name, required) || given(name) !== undefined)
        .map(([name, each]) => [name, given(name) ?? example(each)]),
    );
  return example(schema) as object;
}

function isWanted(name: string, required: readonly string[]): boolean {
  return required.length === 0 || required.includes(name);
}
