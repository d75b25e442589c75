import { ProblemError } from '../../http/problems.ts';
import type { AddressGuard } from './addresses.ts';

export interface UrlRules {
  readonly guard: AddressGuard;
  readonly isProduction: boolean;
}

/**
 * What can be said of a URL before it is connected to: it is a 400, or gives the URL as it is kept.
 * A name may lead anywhere, today or later: that is looked at in each connection (addresses.ts).
 */
export function acceptUrl(text: string, { guard, isProduction }: UrlRules): string {
  if (!URL.canParse(text)) throw refused('It is not a URL');
  const url = new URL(text);
  if (isProduction && url.protocol !== 'https:') throw refused('It must begin with https://');
  if (url.username !== '' || url.password !== '') {
    throw refused('It must hold no user and no password: messages are signed');
  }
  if (!isOpenPort(url.port)) throw refused('Its port must be 443, 80, or 1024 and above');
  if (!guard.allowsHostOf(url)) throw refused('Its address is not of the public internet');
  url.hash = '';
  return url.href;
}

/** None is the protocol's own. Below 1024 are services that could take a message for something else. */
function isOpenPort(port: string): boolean {
  return port === '' || port === '443' || port === '80' || Number(port) >= 1024;
}

function refused(detail: string): ProblemError {
  return new ProblemError(400, 'webhook_url_refused', detail);
}
