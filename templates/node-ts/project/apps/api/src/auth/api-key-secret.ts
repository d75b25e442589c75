import { hash, randomBytes } from 'node:crypto';

/** By this people and scanners for secrets know one. Change it when you like: older keys stay good. */
const PREFIX = 'app_key_';
const FORM = /^[\w-]{20,200}$/;

export interface Secret {
  /** For the caller alone, once. */
  readonly text: string;
  /** What is kept of it. */
  readonly hash: string;
  readonly preview: string;
}

export function newSecret(): Secret {
  const text = PREFIX + randomBytes(32).toString('hex');
  return { text, hash: hashOf(text), preview: `${PREFIX}...${text.slice(-4)}` };
}

/** Of 256 random bits none can be guessed, so a slow hash, as passwords need it, would only be slow. */
export function hashOf(secret: string): string {
  return hash('sha256', secret, 'base64url');
}

export function mayBeSecret(text: string): boolean {
  return FORM.test(text);
}
