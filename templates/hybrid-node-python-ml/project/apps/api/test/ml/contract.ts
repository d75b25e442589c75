import { readFileSync } from 'node:fs';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';

interface Schema {
  readonly type?: string;
  readonly properties?: Record<string, Schema>;
  readonly items?: Schema;
  readonly $ref?: string;
  readonly minItems?: number;
}

const file = new URL('../../../../contracts/ml.openapi.json', import.meta.url);
const contract = JSON.parse(readFileSync(file, 'utf8'));
const schemas: Record<string, Schema> = contract.components.schemas;
const ajv = new Ajv2020({ strict: false }).addSchema(contract, 'contract');

/** Checks a value against a schema of the contract. */
export function validator(name: string): ValidateFunction {
  return ajv.compile({ $ref: `contract#/components/schemas/${name}` });
}

/** How many numbers an instance has. */
export const FEATURES = schemas.PredictRequest?.properties?.instances?.items?.minItems ?? 0;

export function instance(value = 0): number[] {
  return Array.from({ length: FEATURES }, () => value);
}

/** A value that fits a schema of the contract. */
export function sample(name: string): unknown {
  return fill(schemas[name] ?? {});
}

function fill(schema: Schema): unknown {
  if (schema.$ref) return sample(schema.$ref.split('/').at(-1) ?? '');
  switch (schema.type) {
    case 'object':
      return Object.fromEntries(
        Object.entries(schema.properties ?? {}).map(([key, value]) => [key, fill(value)]),
      );
    case 'array':
      return [fill(schema.items ?? {})];
    case 'string':
      return 'a';
    default:
      return 0.5;
  }
}
