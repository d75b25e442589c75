import { betterAuth } from 'better-auth';
import { drizzleAdapter } from 'better-auth/adapters/drizzle';
import { organization } from 'better-auth/plugins';
import type { FastifyBaseLogger } from 'fastify';
import type { Config } from '../config.ts';
import type { Database } from '../db/database.ts';
import type { Mailer } from '../mail/mailer.ts';
import { invitationMail, resetPasswordMail, verificationMail } from './mails.ts';
import { accessControl, roles } from './permissions.ts';
import * as schema from './schema.ts';

export const AUTH_PATH = '/api/auth';
/** Set by us alone, from what Fastify holds for the client's address. */
export const CLIENT_IP_HEADER = 'x-client-ip';

export type Auth = ReturnType<typeof createAuth>;

/** Accounts, sessions, organizations and invitations: better-auth on our database. */
export function createAuth(
  config: Config,
  database: Database,
  mailer: Mailer,
  log: FastifyBaseLogger,
) {
  return betterAuth({
    baseURL: config.PUBLIC_URL,
    basePath: AUTH_PATH,
    secret: config.AUTH_SECRET,
    trustedOrigins: [...config.CORS_ORIGINS],
    telemetry: { enabled: false },
    logger: { log: (level, message) => log[level]({ from: 'better-auth' }, message) },
    // Fastify limits by the address that TRUST_PROXY lets it believe.
    rateLimit: { enabled: false },
    advanced: {
      cookiePrefix: 'app',
      ipAddress: { ipAddressHeaders: [CLIENT_IP_HEADER] },
    },
    database: drizzleAdapter(database.db, {
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
    emailAndPassword: {
      enabled: true,
      minPasswordLength: 12,
      revokeSessionsOnPasswordReset: true,
      sendResetPassword: ({ user, url }) => mailer.send(resetPasswordMail(user.email, url)),
    },
    emailVerification: {
      sendOnSignUp: true,
      sendVerificationEmail: ({ user, url }) => mailer.send(verificationMail(user.email, url)),
    },
    plugins: [
      organization({
        ac: accessControl,
        roles,
        sendInvitationEmail: ({ id, email, organization: { name }, inviter }) =>
          mailer.send(invitationMail(email, name, inviter.user.name, id)),
      }),
    ],
  });
}
