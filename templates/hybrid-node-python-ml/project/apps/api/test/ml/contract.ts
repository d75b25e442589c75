import { readFileSync } from 'node:fs';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import type { PredictRequest } from '../../src/modules/ml/transport.ts';

interface Schema {
  readonly type?: string;
  readonly properties?: Record<string, Schema>;
  readonly items?: Schema;
  readonly $ref?: string;
  readonly anyOf?: Schema[];
  readonly enum?: unknown[];
  readonly const?: unknown;
  readonly minItems?: number;
  readonly minLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly examples?: unknown[];
}

const file = new URL('../../../../contracts/ml.openapi.json', import.meta.url);
const contract = JSON.parse(readFileSync(file, 'utf8'));
const schemas: Record<string, Schema> = contract.components.schemas;
const ajv = new Ajv2020({ strict: false }).addSchema(contract, 'contract');

/** Checks a value against a schema of the contract. */
export function validator(name: string): ValidateFunction {
  return ajv.compile({ $ref: `contract#/components/schemas/${name}` });
}

/** An instance that fits the contract: its example, or the plainest there is. */
export function instance(): PredictRequest['instances'][number] {
  const [example] = (schemas.PredictRequest?.examples ?? []) as PredictRequest[];
  const [plain] = (sample('PredictRequest') as PredictRequest).instances;
  const found = example?.instances[0] ?? plain;
  if (found === undefined) throw new Error('the contract has no instances');
  return found;
}

/** A value that fits a schema of the contract. */
export function sample(name: string): unknown {
  return fill(schemas[name] ?? {});
}

function fill(schema: Schema): unknown {
  if (schema.$ref) return sample(schema.$ref.split('/').at(-1) ?? '');
  if (schema.anyOf) return fill(schema.anyOf[0] ?? {});
  if (schema.const !== undefined) return schema.const;
  if (schema.enum) return schema.enum[0];
  switch (schema.type) {
    case 'object':
      return Object.fromEntries(
        Object.entries(schema.properties ?? {}).map(([key, value]) => [key, fill(value)]),
      );
    case 'array':
      return Array.from({ length: schema.minItems ?? 1 }, () => fill(schema.items ?? {}));
    case 'string':
      return 'a'.repeat(schema.minLength ?? 1);
    case 'boolean':
      return true;
    case 'integer':
      return Math.ceil(Math.max(schema.minimum ?? 0, Math.min(schema.maximum ?? 0, 0)));
    default:
      return Math.max(schema.minimum ?? 0, Math.min(schema.maximum ?? 1, 0.5));
  }
}
