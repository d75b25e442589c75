import {
  ActiveOrganization,
  CurrentSession,
  Done,
  FullOrganization,
  FullOrganizationQuery,
  Invitation,
  InvitationId,
  InvitationQuery,
  Member,
  MemberQuery,
  MemberRemoval,
  MemberRoleChange,
  NewInvitation,
  NewOrganization,
  Organization,
  OrganizationId,
  OrganizationQuery,
  OrganizationUpdate,
  PasswordChange,
  PasswordReset,
  PasswordResetRequest,
  Session,
  SessionToken,
  SignedIn,
  SignIn,
  SignUp,
  UserChanges,
  VerificationRequest,
} from '@app/contracts';
import { z } from 'zod';

/** A route of better-auth that clients use: what it takes is checked before better-auth gets it. */
export interface AuthRoute {
  readonly method: 'GET' | 'POST';
  /** Below /api/auth. */
  readonly path: string;
  readonly operationId: string;
  readonly summary: string;
  readonly answer: z.ZodType;
  readonly body?: z.ZodType;
  readonly query?: z.ZodType;
  /** Open to callers without a session. */
  readonly open?: true;
  /** Where something could be guessed or mailboxes filled: limited for each account too. */
  readonly limit?: 'password' | 'mail';
}

const SessionQuery = z.object({
  disableCookieCache: z.string().max(10).optional(),
  disableRefresh: z.string().max(10).optional(),
});
const PageOfMembers = z.looseObject({ members: z.array(Member), total: z.number() });
const Accepted = z.looseObject({ invitation: Invitation, member: Member.nullable() });

const accounts: readonly AuthRoute[] = [
  {
    method: 'POST',
    path: '/sign-up/email',
    operationId: 'signUp',
    summary: 'Make an account and sign in',
    body: SignUp,
    answer: SignedIn,
    open: true,
    limit: 'mail',
  },
  {
    method: 'POST',
    path: '/sign-in/email',
    operationId: 'signIn',
    summary: 'Sign in, in the organization that was used last',
    body: SignIn,
    answer: SignedIn,
    open: true,
    limit: 'password',
  },
  {
    method: 'POST',
    path: '/sign-out',
    operationId: 'signOut',
    summary: 'End the session',
    answer: z.looseObject({ success: z.boolean() }),
    open: true,
  },
  {
    method: 'GET',
    path: '/get-session',
    operationId: 'getSession',
    summary: 'Read session and user; null for nobody',
    query: SessionQuery,
    answer: CurrentSession.nullable(),
    open: true,
  },
  {
    method: 'POST',
    path: '/request-password-reset',
    operationId: 'requestPasswordReset',
    summary: 'Have a link sent by which a new password can be chosen',
    body: PasswordResetRequest,
    answer: Done,
    open: true,
    limit: 'mail',
  },
  {
    method: 'POST',
    path: '/reset-password',
    operationId: 'resetPassword',
    summary: 'Choose a new password, which ends all sessions',
    body: PasswordReset,
    answer: Done,
    open: true,
    limit: 'password',
  },
  {
    method: 'POST',
    path: '/change-password',
    operationId: 'changePassword',
    summary: 'Change the password, which ends all other sessions',
    body: PasswordChange,
    answer: SignedIn,
    limit: 'password',
  },
  {
    method: 'POST',
    path: '/send-verification-email',
    operationId: 'sendVerificationEmail',
    summary: 'Have the link sent again that confirms an address',
    body: VerificationRequest,
    answer: Done,
    open: true,
    limit: 'mail',
  },
  {
    method: 'POST',
    path: '/update-user',
    operationId: 'updateUser',
    summary: "Change the user's name or picture",
    body: UserChanges,
    answer: Done,
  },
  {
    method: 'GET',
    path: '/list-sessions',
    operationId: 'listSessions',
    summary: "List the user's sessions",
    answer: z.array(Session),
  },
  {
    method: 'POST',
    path: '/revoke-session',
    operationId: 'revokeSession',
    summary: "End one of the user's sessions",
    body: SessionToken,
    answer: Done,
  },
  {
    method: 'POST',
    path: '/revoke-other-sessions',
    operationId: 'revokeOtherSessions',
    summary: "End the user's other sessions",
    answer: Done,
  },
];

const organizations: readonly AuthRoute[] = [
  {
    method: 'POST',
    path: '/organization/create',
    operationId: 'createOrganization',
    summary: 'Make an organization, with the caller as its owner',
    body: NewOrganization,
    answer: Organization,
  },
  {
    method: 'POST',
    path: '/organization/update',
    operationId: 'updateOrganization',
    summary: 'Change an organization',
    body: OrganizationUpdate,
    answer: Organization,
  },
  {
    method: 'POST',
    path: '/organization/delete',
    operationId: 'deleteOrganization',
    summary: 'Delete an organization with all that it has',
    body: OrganizationId,
    answer: Organization,
  },
  {
    method: 'POST',
    path: '/organization/set-active',
    operationId: 'setActiveOrganization',
    summary: 'Choose the organization that the next session begins in',
    body: ActiveOrganization,
    answer: Organization.nullable(),
  },
  {
    method: 'GET',
    path: '/organization/list',
    operationId: 'listOrganizations',
    summary: "List the caller's organizations",
    answer: z.array(Organization),
  },
  {
    method: 'GET',
    path: '/organization/get-full-organization',
    operationId: 'getFullOrganization',
    summary: 'Read an organization with its members and invitations',
    query: FullOrganizationQuery,
    answer: FullOrganization.nullable(),
  },
  {
    method: 'GET',
    path: '/organization/list-members',
    operationId: 'listMembers',
    summary: 'List the members of an organization',
    query: MemberQuery,
    answer: PageOfMembers,
  },
  {
    method: 'GET',
    path: '/organization/get-active-member',
    operationId: 'getActiveMember',
    summary: "Read the caller's membership of the active organization",
    answer: Member,
  },
  {
    method: 'POST',
    path: '/organization/update-member-role',
    operationId: 'updateMemberRole',
    summary: "Change a member's role",
    body: MemberRoleChange,
    answer: Member,
  },
  {
    method: 'POST',
    path: '/organization/remove-member',
    operationId: 'removeMember',
    summary: 'Remove a member',
    body: MemberRemoval,
    answer: z.looseObject({ member: Member }),
  },
  {
    method: 'POST',
    path: '/organization/leave',
    operationId: 'leaveOrganization',
    summary: 'Leave an organization',
    body: OrganizationId,
    answer: Member,
  },
  {
    method: 'POST',
    path: '/organization/invite-member',
    operationId: 'inviteMember',
    summary: 'Invite somebody by mail',
    body: NewInvitation,
    answer: Invitation,
    limit: 'mail',
  },
  {
    method: 'GET',
    path: '/organization/list-invitations',
    operationId: 'listInvitations',
    summary: 'List the invitations of an organization',
    query: OrganizationQuery,
    answer: z.array(Invitation),
  },
  {
    method: 'GET',
    path: '/organization/get-invitation',
    operationId: 'getInvitation',
    summary: 'Read an invitation to the caller',
    query: InvitationQuery,
    answer: Invitation,
  },
  {
    method: 'POST',
    path: '/organization/accept-invitation',
    operationId: 'acceptInvitation',
    summary: 'Join an organization',
    body: InvitationId,
    answer: Accepted,
  },
  {
    method: 'POST',
    path: '/organization/reject-invitation',
    operationId: 'rejectInvitation',
    summary: 'Turn an invitation down',
    body: InvitationId,
    answer: Accepted,
  },
  {
    method: 'POST',
    path: '/organization/cancel-invitation',
    operationId: 'cancelInvitation',
    summary: 'Take an invitation back',
    body: InvitationId,
    answer: Invitation,
  },
];

export const routes = {
  accounts,
  organizations,
};
