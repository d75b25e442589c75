import { createAccessControl } from 'better-auth/plugins/access';
import {
  adminAc,
  defaultStatements,
  memberAc,
  ownerAc,
} from 'better-auth/plugins/organization/access';

/** What can be done to what. A new resource adds its line here and to the roles below. */
const statements = {
  ...defaultStatements,
  project: ['create', 'read', 'update', 'delete'],
  prediction: ['create'],
} as const;

export const accessControl = createAccessControl(statements);

export const roles = {
  owner: accessControl.newRole({
    ...ownerAc.statements,
    project: ['create', 'read', 'update', 'delete'],
    prediction: ['create'],
  }),
  admin: accessControl.newRole({
    ...adminAc.statements,
    project: ['create', 'read', 'update', 'delete'],
    prediction: ['create'],
  }),
  member: accessControl.newRole({
    ...memberAc.statements,
    project: ['create', 'read', 'update'],
    prediction: ['create'],
  }),
  viewer: accessControl.newRole({ project: ['read'] }),
};

/** Such as `project:update`. */
export type Permission = {
  [Resource in keyof typeof statements]: `${Resource}:${(typeof statements)[Resource][number]}`;
}[keyof typeof statements];

/** Whether any of a member's roles (a comma-separated list) allows it. */
export function allows(memberRoles: string, permission: Permission): boolean {
  const [resource, action] = permission.split(':') as [string, string];
  return memberRoles.split(',').some((name) => {
    const role = Object.hasOwn(roles, name) ? roles[name as keyof typeof roles] : undefined;
    return role?.authorize({ [resource]: [action] }).success === true;
  });
}
