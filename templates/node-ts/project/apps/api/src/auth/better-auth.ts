import { PASSWORD_LENGTH } from '@app/contracts';
import { betterAuth } from 'better-auth';
import { drizzleAdapter } from 'better-auth/adapters/drizzle';
import { createAuthMiddleware } from 'better-auth/api';
import { organization } from 'better-auth/plugins';
import type { FastifyBaseLogger } from 'fastify';
import type { Config } from '../config.ts';
import type { Database } from '../db/database.ts';
import { libraryLog } from '../http/logging.ts';
import { languageOf } from '../mail/language.ts';
import type { Attempts } from './attempts.ts';
import { noteFailures } from './database-failures.ts';
import { linkIntoApp } from './links.ts';
import { invitationMail, resetPasswordMail, verificationMail } from './mails.ts';
import { createOrganizationLimits, PER_ORGANIZATION } from './organization-limits.ts';
import { createOrganizationRules } from './organization-rules.ts';
import { deferReset, isResetDue } from './password-resets.ts';
import { accessControl, roles } from './permissions.ts';
import type { Postbox } from './postbox.ts';
import * as schema from './schema.ts';

export const AUTH_PATH = '/api/auth';
/** Set by us alone, from what Fastify holds for the client's address. */
export const CLIENT_IP_HEADER = 'x-client-ip';

export type Auth = ReturnType<typeof createAuth>;

export interface AuthParts {
  readonly config: Config;
  readonly database: Database;
  readonly attempts: Attempts;
  readonly postbox: Pick<Postbox, 'post'>;
  readonly log: FastifyBaseLogger;
}

/** Accounts, sessions, organizations and invitations: better-auth on our database. */
export function createAuth({ config, database, attempts, postbox, log }: AuthParts) {
  const rules = createOrganizationRules(database);
  const limits = createOrganizationLimits(config, database);
  return betterAuth({
    baseURL: config.PUBLIC_URL,
    basePath: AUTH_PATH,
    secret: config.AUTH_SECRET,
    trustedOrigins: [new URL(config.APP_URL).origin, ...config.CORS_ORIGINS],
    // With a session it would tell of any number of passwords whether they are right.
    disabledPaths: ['/verify-password'],
    telemetry: { enabled: false },
    logger: { log: libraryLog('better-auth', log) },
    // To our own handler: better-auth would print it with all values, and answer 500 to everything.
    onAPIError: { throw: true },
    // Fastify limits by the address that TRUST_PROXY lets it believe.
    rateLimit: { enabled: false },
    advanced: {
      cookiePrefix: 'app',
      ipAddress: { ipAddressHeaders: [CLIENT_IP_HEADER] },
      // On in tests too, where better-auth would leave it out.
      disableOriginCheck: false,
    },
    database: noteFailures(
      drizzleAdapter(database.db, {
        provider: 'pg',
        schema: {
          user: schema.users,
          session: schema.sessions,
          account: schema.accounts,
          verification: schema.verifications,
          organization: schema.organizations,
          member: schema.members,
          invitation: schema.invitations,
        },
      }),
    ),
    databaseHooks: {
      session: {
        create: {
          before: async (session, context) => ({
            data: {
              ...session,
              activeOrganizationId: await rules.firstOrganization(
                session.userId,
                context?.context.session?.session,
              ),
            },
          }),
        },
      },
    },
    hooks: {
      before: createAuthMiddleware(async (context) => {
        if (context.path === '/request-password-reset' && !isResetDue()) {
          const language = languageOf(context.headers?.get('accept-language'));
          return deferReset(database, { ...context.body, language });
        }
        if (context.path !== '/change-password') return;
        // Whoever changes it may do so because somebody else knows it.
        return { context: { body: { ...context.body, revokeOtherSessions: true } } };
      }),
    },
    emailAndPassword: {
      enabled: true,
      minPasswordLength: PASSWORD_LENGTH.min,
      maxPasswordLength: PASSWORD_LENGTH.max,
      revokeSessionsOnPasswordReset: true,
      sendResetPassword: async ({ user, url }, request) => {
        const link = linkIntoApp(config, url, '/reset-password');
        await postbox.post(user.email, resetPasswordMail(askedFor(request), link));
      },
      // Whoever reads the account's mail is let in, however often others have guessed.
      onPasswordReset: ({ user }) => attempts.forget('signIn', user.email),
    },
    emailVerification: {
      sendOnSignUp: true,
      sendVerificationEmail: async ({ user, url }, request) => {
        const link = linkIntoApp(config, url, '/');
        await postbox.post(user.email, verificationMail(askedFor(request), link));
      },
    },
    user: {
      // Not offered; a project that enables it is held to the same rule.
      deleteUser: { enabled: false, beforeDelete: ({ id }) => rules.refuseLastOwner(id) },
    },
    plugins: [
      organization({
        ac: accessControl,
        roles,
        organizationLimit: limits.ownsEnough,
        membershipLimit: PER_ORGANIZATION,
        invitationLimit: PER_ORGANIZATION,
        // Inviting again replaces an invitation whose inviter has gone.
        cancelPendingInvitationsOnReInvite: true,
        organizationHooks: {
          afterCreateOrganization: ({ user }) => limits.limitOrganizations(user),
          afterAcceptInvitation: ({ organization: { id } }) => limits.limitMembers(id),
          afterCreateInvitation: ({ organization: { id } }) => limits.limitInvitations(id),
          beforeAcceptInvitation: ({ invitation }) => rules.refuseWithoutInviter(invitation),
          beforeDeleteOrganization: ({ organization: { id } }) => rules.deleteWhole(id),
        },
        sendInvitationEmail: async ({ id, email, organization: { name }, inviter }, request) => {
          const url = `${config.APP_URL}/accept-invitation?id=${id}`;
          const values = { organization: name, from: inviter.user.name, url };
          await postbox.post(email, invitationMail(askedFor(request), values));
        },
      }),
    ],
  });
}

/** Mails speak the language of the request that they come from. */
function askedFor(request: Request | undefined) {
  return languageOf(request?.headers.get('accept-language'));
}
