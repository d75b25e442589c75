import { z } from 'zod';
import { Email } from './accounts.ts';
import { filledText, text, WebAddress } from './text.ts';

/** The part of an address that says whose resources are meant. */
export const OrganizationParams = z.object({
  organization: z.string().min(1).max(200).describe("The organization's id, or its slug"),
});
export type OrganizationParams = z.infer<typeof OrganizationParams>;

const id = z
  .string()
  .regex(/^[\w-]+$/)
  .max(64);
const slug = z
  .string()
  .regex(/^[a-z0-9]+(?:-[a-z0-9]+)*$/)
  .max(63);
const name = filledText(120);
const logo = WebAddress.nullable();

const role = z
  .string()
  .regex(/^[A-Za-z][\w-]*$/)
  .max(64);
const roles = z.union([role, z.array(role).min(1).max(10)]);

// Two levels, each of bounded size: enough for notes, too little for a database.
const scalar = z.union([text(500), z.number(), z.boolean(), z.null()]);
const key = filledText(64);
const bounded = <Values extends z.ZodRecord>(values: Values) =>
  values
    .refine((each) => Object.keys(each).length <= 20, 'Must have at most 20 entries')
    .meta({ maxProperties: 20 });
const metadata = bounded(
  z.record(key, z.union([scalar, z.array(scalar).max(20), bounded(z.record(key, scalar))])),
);

export const NewOrganization = z
  .strictObject({
    name,
    slug,
    logo: logo.optional(),
    metadata: metadata.optional(),
    keepCurrentActiveOrganization: z.boolean().optional(),
  })
  .meta({ id: 'NewOrganization' });
export type NewOrganization = z.infer<typeof NewOrganization>;

export const OrganizationUpdate = z
  .strictObject({
    organizationId: id.optional(),
    data: z
      .strictObject({
        name: name.optional(),
        slug: slug.optional(),
        logo: logo.optional(),
        metadata: metadata.optional(),
      })
      .refine((changes) => Object.keys(changes).length > 0, 'Name at least one field to change')
      .meta({ minProperties: 1 }),
  })
  .meta({ id: 'OrganizationUpdate' });
export type OrganizationUpdate = z.infer<typeof OrganizationUpdate>;

export const OrganizationId = z.strictObject({ organizationId: id }).meta({ id: 'OrganizationId' });
export type OrganizationId = z.infer<typeof OrganizationId>;

export const ActiveOrganization = z
  .strictObject({
    organizationId: id.nullable().optional(),
    organizationSlug: filledText(200).optional(),
  })
  .meta({ id: 'ActiveOrganization' });
export type ActiveOrganization = z.infer<typeof ActiveOrganization>;

export const OrganizationQuery = z.object({
  organizationId: id.optional(),
  organizationSlug: filledText(200).optional(),
});
export type OrganizationQuery = z.infer<typeof OrganizationQuery>;

export const FullOrganizationQuery = OrganizationQuery.extend({
  membersLimit: z.coerce.number().int().min(1).max(100).optional(),
});
export type FullOrganizationQuery = z.infer<typeof FullOrganizationQuery>;

export const MemberQuery = OrganizationQuery.extend({
  limit: z.coerce.number().int().min(1).max(100).optional(),
  offset: z.coerce.number().int().min(0).max(1_000_000).optional(),
  sortBy: z.enum(['id', 'userId', 'role', 'createdAt']).optional(),
  sortDirection: z.enum(['asc', 'desc']).optional(),
  filterField: z.enum(['id', 'userId', 'role']).optional(),
  filterOperator: z.enum(['eq', 'ne', 'contains', 'starts_with', 'ends_with']).optional(),
  filterValue: text(64).optional(),
});
export type MemberQuery = z.infer<typeof MemberQuery>;

export const NewInvitation = z
  .strictObject({
    email: Email,
    role: roles,
    organizationId: id.optional(),
    resend: z.boolean().optional(),
  })
  .meta({ id: 'NewInvitation' });
export type NewInvitation = z.infer<typeof NewInvitation>;

export const InvitationId = z.strictObject({ invitationId: id }).meta({ id: 'InvitationId' });
export type InvitationId = z.infer<typeof InvitationId>;

export const InvitationQuery = z.object({ id });
export type InvitationQuery = z.infer<typeof InvitationQuery>;

export const MemberRemoval = z
  .strictObject({ memberIdOrEmail: z.union([id, Email]), organizationId: id.optional() })
  .meta({ id: 'MemberRemoval' });
export type MemberRemoval = z.infer<typeof MemberRemoval>;

export const MemberRoleChange = z
  .strictObject({ memberId: id, role: roles, organizationId: id.optional() })
  .meta({ id: 'MemberRoleChange' });
export type MemberRoleChange = z.infer<typeof MemberRoleChange>;

// Answers may hold more than is listed here: plug-ins of better-auth add fields of their own.

export const Organization = z
  .looseObject({
    id: z.string(),
    name: z.string(),
    slug: z.string(),
    logo: z.string().nullable().optional(),
    createdAt: z.iso.datetime(),
  })
  .meta({ id: 'Organization' });
export type Organization = z.infer<typeof Organization>;

export const Member = z
  .looseObject({
    id: z.string(),
    organizationId: z.string(),
    userId: z.string(),
    role: z.string(),
    createdAt: z.iso.datetime(),
  })
  .meta({ id: 'Member' });
export type Member = z.infer<typeof Member>;

export const Invitation = z
  .looseObject({
    id: z.string(),
    organizationId: z.string(),
    email: z.string(),
    role: z.string().nullable(),
    status: z.string(),
    inviterId: z.string(),
    expiresAt: z.iso.datetime(),
  })
  .meta({ id: 'Invitation' });
export type Invitation = z.infer<typeof Invitation>;

export const FullOrganization = z
  .looseObject({
    ...Organization.shape,
    members: z.array(Member),
    invitations: z.array(Invitation),
  })
  .meta({ id: 'FullOrganization' });
export type FullOrganization = z.infer<typeof FullOrganization>;
