import type { Config } from '../config.ts';

/**
 * A link of better-auth, which leads on to the page that `callbackURL` names: a path becomes one of
 * the front end, and without any it is `path`. better-auth has checked it, and does so again later.
 */
export function linkIntoApp({ APP_URL }: Pick<Config, 'APP_URL'>, url: string, path: string) {
  const link = new URL(url);
  const page = link.searchParams.get('callbackURL') || path;
  link.searchParams.set('callbackURL', page.startsWith('/') ? `${APP_URL}${page}` : page);
  return link.href;
}
