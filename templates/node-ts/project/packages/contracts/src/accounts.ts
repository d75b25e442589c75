import { z } from 'zod';
import { filledText, WebAddress } from './text.ts';

/** In characters; better-auth is held to the same. */
export const PASSWORD_LENGTH = { min: 12, max: 128 } as const;

// What zod takes for an address, without the look-ahead that JSON Schema tools cannot follow.
const ADDRESS =
  /^(?:[A-Za-z0-9_'+-]+\.)*[A-Za-z0-9_'+-]*[A-Za-z0-9_+-]@(?:[A-Za-z0-9][A-Za-z0-9-]*\.)+[A-Za-z]{2,}$/;

export const Email = z.email({ pattern: ADDRESS }).max(254);

const personName = filledText(120);
const image = WebAddress.nullable();
const newPassword = z.string().min(PASSWORD_LENGTH.min).max(PASSWORD_LENGTH.max);
const password = z.string().min(1).max(PASSWORD_LENGTH.max);
const token = z
  .string()
  .regex(/^[\w.-]+$/)
  .max(1000);
const callbackURL = filledText(2048).describe(
  'Where a link in a mail leads in the end: a path, or an address of a known origin',
);

export const SignUp = z
  .strictObject({
    name: personName,
    email: Email,
    password: newPassword,
    image: image.optional(),
    callbackURL: callbackURL.optional(),
    rememberMe: z.boolean().optional(),
  })
  .meta({ id: 'SignUp' });
export type SignUp = z.infer<typeof SignUp>;

export const SignIn = z
  .strictObject({
    email: Email,
    password,
    callbackURL: callbackURL.optional(),
    rememberMe: z.boolean().optional(),
  })
  .meta({ id: 'SignIn' });
export type SignIn = z.infer<typeof SignIn>;

export const PasswordResetRequest = z
  .strictObject({ email: Email, redirectTo: callbackURL.optional() })
  .meta({ id: 'PasswordResetRequest' });
export type PasswordResetRequest = z.infer<typeof PasswordResetRequest>;

export const PasswordReset = z.strictObject({ newPassword, token }).meta({ id: 'PasswordReset' });
export type PasswordReset = z.infer<typeof PasswordReset>;

export const PasswordChange = z
  .strictObject({
    currentPassword: password,
    newPassword,
    revokeOtherSessions: z.boolean().optional().describe('They end in any case'),
  })
  .meta({ id: 'PasswordChange' });
export type PasswordChange = z.infer<typeof PasswordChange>;

export const VerificationRequest = z
  .strictObject({ email: Email, callbackURL: callbackURL.optional() })
  .meta({ id: 'VerificationRequest' });
export type VerificationRequest = z.infer<typeof VerificationRequest>;

export const UserChanges = z
  .strictObject({ name: personName.optional(), image: image.optional() })
  .refine((changes) => Object.keys(changes).length > 0, 'Name at least one field to change')
  .meta({ id: 'UserChanges', minProperties: 1 });
export type UserChanges = z.infer<typeof UserChanges>;

export const SessionToken = z.strictObject({ token }).meta({ id: 'SessionToken' });
export type SessionToken = z.infer<typeof SessionToken>;

// Answers may hold more than is listed here: plug-ins of better-auth add fields of their own.

export const User = z
  .looseObject({
    id: z.string(),
    name: z.string(),
    email: z.string(),
    emailVerified: z.boolean(),
    image: z.string().nullable().optional(),
    createdAt: z.iso.datetime(),
    updatedAt: z.iso.datetime(),
  })
  .meta({ id: 'User' });
export type User = z.infer<typeof User>;

export const Session = z
  .looseObject({
    id: z.string(),
    token: z.string(),
    userId: z.string(),
    activeOrganizationId: z.string().nullable().optional(),
    ipAddress: z.string().nullable().optional(),
    userAgent: z.string().nullable().optional(),
    expiresAt: z.iso.datetime(),
    createdAt: z.iso.datetime(),
    updatedAt: z.iso.datetime(),
  })
  .meta({ id: 'Session' });
export type Session = z.infer<typeof Session>;

export const SignedIn = z
  .looseObject({ token: z.string().nullable(), user: User })
  .meta({ id: 'SignedIn' });
export type SignedIn = z.infer<typeof SignedIn>;

export const CurrentSession = z
  .looseObject({ session: Session, user: User })
  .meta({ id: 'CurrentSession' });
export type CurrentSession = z.infer<typeof CurrentSession>;

export const Done = z
  .looseObject({ status: z.boolean(), message: z.string().optional() })
  .meta({ id: 'Done' });
export type Done = z.infer<typeof Done>;
