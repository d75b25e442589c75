import { createAccessControl } from 'better-auth/plugins/access';
import {
  adminAc,
  defaultStatements,
  memberAc,
  ownerAc,
} from 'better-auth/plugins/organization/access';
import { permissions, type Role } from '../modules/permissions.ts';

/** Such as `project:update`. */
export type Permission = {
  [Resource in keyof typeof permissions]: `${Resource}:${keyof (typeof permissions)[Resource] & string}`;
}[keyof typeof permissions];

type Table = Readonly<Record<string, Readonly<Record<string, readonly Role[]>>>>;
const table: Table = permissions;

/** Whether any of a member's roles (a comma-separated list) allows it. */
export function allows(memberRoles: string, permission: Permission): boolean {
  const name: string = permission;
  const [resource = '', action = ''] = name.split(':');
  const allowed: readonly string[] = table[resource]?.[action] ?? [];
  return memberRoles.split(',').some((role) => allowed.includes(role));
}

// The same table for better-auth, so that front ends can ask it what somebody may do.

const statements = Object.fromEntries(
  Object.entries(table).map(([resource, actions]) => [resource, Object.keys(actions)]),
);

export const accessControl = createAccessControl({ ...defaultStatements, ...statements });

export const roles = {
  owner: accessControl.newRole({ ...ownerAc.statements, ...granted('owner') }),
  admin: accessControl.newRole({ ...adminAc.statements, ...granted('admin') }),
  member: accessControl.newRole({ ...memberAc.statements, ...granted('member') }),
  viewer: accessControl.newRole(granted('viewer')),
};

function granted(role: Role): Record<string, string[]> {
  return Object.fromEntries(
    Object.entries(table).map(([resource, actions]) => [
      resource,
      Object.keys(actions).filter((action) => actions[action]?.includes(role)),
    ]),
  );
}
