import { type Access, may } from '../../auth/access.ts';
import type { Permission } from '../../auth/permissions.ts';
import { ProblemError } from '../../http/problems.ts';
import { permissions } from '../permissions.ts';

/** Everything that a key can be for: all permissions, but those to keys. */
export const SCOPES = Object.entries(permissions)
  .filter(([resource]) => resource !== 'apiKey')
  .flatMap(([resource, actions]) =>
    Object.keys(actions).map((action) => `${resource}:${action}` as Permission),
  );

/** Nobody gives a key more than they may do themselves. */
export function refuseMore(access: Access, scopes: readonly string[]): void {
  // One that there is no more gives nothing.
  const more = SCOPES.filter((scope) => scopes.includes(scope) && !may(access, scope));
  if (more.length === 0) return;
  throw new ProblemError(403, 'scope_not_yours', `Your role does not allow ${more.join(', ')}`);
}
