import { z } from 'zod';
import { type Access, may } from '../../auth/access.ts';
import type { Permission } from '../../auth/permissions.ts';
import { ProblemError } from '../../http/problems.ts';
import { permissions } from '../permissions.ts';

type Table = Readonly<Record<string, Readonly<Record<string, unknown>>>>;
const table: Table = permissions;
/** No key is for keys. */
const NEVER = 'apiKey';

/** Everything that a key can be for. */
export const SCOPES = Object.entries(table)
  .filter(([resource]) => resource !== NEVER)
  .flatMap(([resource, actions]) => Object.keys(actions).map((action) => `${resource}:${action}`));

/** A permission that a key can have; the API document lists them. */
export const Scope = z
  .string()
  .refine(isScope, 'Must be one of those listed')
  .meta({ enum: SCOPES });

/** Nobody gives a key more than they may do themselves. */
export function refuseMore(access: Access, scopes: readonly string[]): void {
  // One that there is no more gives nothing.
  const more = scopes.filter(isScope).filter((scope) => !may(access, scope));
  if (more.length === 0) return;
  throw new ProblemError(403, 'scope_not_yours', `Your role does not allow ${more.join(', ')}`);
}

function isScope(text: string): text is Permission {
  const [resource = '', action = ''] = text.split(':');
  return resource !== NEVER && Object.hasOwn(table, resource) && action in (table[resource] ?? {});
}
