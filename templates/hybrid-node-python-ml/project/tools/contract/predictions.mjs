// The API's own predictions.ts from the service's contract: names, widths and limits stand once, in task.py.

/** The schemas that the API offers, by their names in the contract. */
const OFFERED = new Map([
  ['PredictRequest', 'NewPredictions'],
  ['Prediction', 'Prediction'],
  ['PredictResponse', 'Predictions'],
]);

const CHECKS = {
  minimum: 'min',
  maximum: 'max',
  exclusiveMinimum: 'gt',
  exclusiveMaximum: 'lt',
  multipleOf: 'multipleOf',
  minLength: 'min',
  maxLength: 'max',
  minItems: 'min',
  maxItems: 'max',
};
const UNDERSTOOD = new Set([
  ...Object.keys(CHECKS),
  ...[
    '$ref',
    'additionalProperties',
    'anyOf',
    'const',
    'contentEncoding',
    'default',
    'description',
    'enum',
    'examples',
  ],
  ...['items', 'pattern', 'properties', 'required', 'title', 'type'],
]);

/** TypeScript, still to be formatted. */
export function predictions(contract) {
  const schemas = contract.components.schemas;
  const parts = ["import { z } from 'zod';"];
  for (const [name, offered] of OFFERED) {
    const schema = schemas[name];
    parts.push(
      '',
      ...(schema.description ? [`/** ${schema.description} */`] : []),
      `export const ${offered} = ${zod({ ...schema, description: undefined, examples: undefined }, schemas)}.meta(${meta(offered, schema)});`,
      `export type ${offered} = z.infer<typeof ${offered}>;`,
    );
  }
  return `${parts.join('\n')}\n`;
}

function meta(id, { examples }) {
  return examples ? `{ id: '${id}', examples: ${JSON.stringify(examples)} }` : `{ id: '${id}' }`;
}

function zod(schema, schemas) {
  const unknown = Object.keys(schema).filter((keyword) => !UNDERSTOOD.has(keyword));
  if (unknown.length) throw new Error(`predictions.ts has no word for ${unknown} of the contract`);
  const described = schema.description ? `.describe(${JSON.stringify(schema.description)})` : '';
  return type(schema, schemas) + described;
}

function type(schema, schemas) {
  if (schema.$ref) {
    const name = schema.$ref.split('/').at(-1);
    return OFFERED.get(name) ?? zod({ ...schemas[name], description: undefined }, schemas);
  }
  if (schema.anyOf) return union(schema.anyOf, schemas);
  if (schema.const !== undefined) return `z.literal(${JSON.stringify(schema.const)})`;
  if (schema.enum) return `z.enum(${JSON.stringify(schema.enum)})`;
  switch (schema.type) {
    case 'object':
      return object(schema, schemas);
    case 'array': {
      const items = zod(schema.items, schemas);
      if (schema.minItems !== undefined && schema.minItems === schema.maxItems) {
        return `z.array(${items}).length(${schema.minItems})`;
      }
      return `z.array(${items})${checks(schema)}`;
    }
    case 'string': {
      if (schema.contentEncoding === 'base64') return `z.base64()${checks(schema)}`;
      const pattern = schema.pattern ? `.regex(new RegExp(${JSON.stringify(schema.pattern)}))` : '';
      return `z.string()${checks(schema)}${pattern}`;
    }
    case 'integer':
      return `z.int()${checks(schema)}`;
    case 'number':
      return `z.number()${checks(schema)}`;
    case 'boolean':
      return 'z.boolean()';
    default:
      throw new Error(`predictions.ts has no word for ${JSON.stringify(schema)}`);
  }
}

function union(choices, schemas) {
  const some = choices.filter((choice) => choice.type !== 'null').map((one) => zod(one, schemas));
  const whole = some.length === 1 ? some[0] : `z.union([${some}])`;
  return some.length < choices.length ? `${whole}.nullable()` : whole;
}

function object(schema, schemas) {
  const required = new Set(schema.required);
  const fields = Object.entries(schema.properties ?? {}).map(([name, field]) => {
    const optional = required.has(name) ? '' : '.exactOptional()';
    return `${JSON.stringify(name)}: ${zod(field, schemas)}${optional},`;
  });
  if (!fields.length && typeof schema.additionalProperties === 'object') {
    return `z.record(z.string(), ${zod(schema.additionalProperties, schemas)})`;
  }
  const kind = schema.additionalProperties === false ? 'strictObject' : 'object';
  return `z.${kind}({\n${fields.join('\n')}\n})`;
}

function checks(schema) {
  return Object.entries(CHECKS)
    .filter(([keyword]) => schema[keyword] !== undefined)
    .map(([keyword, check]) => `.${check}(${schema[keyword]})`)
    .join('');
}
