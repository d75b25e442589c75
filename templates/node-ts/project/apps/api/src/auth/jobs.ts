import type { Config } from '../config.ts';
import type { Database } from '../db/database.ts';
import { handle, type JobHandler } from '../queue/job.ts';
import { atomically } from './atomic.ts';
import { AUTH_PATH, type Auth } from './better-auth.ts';
import { orDatabaseFailure } from './database-failures.ts';
import { asDueReset, passwordReset } from './password-resets.ts';

interface Parts {
  readonly auth: Auth;
  readonly config: Config;
  readonly database: Database;
}

export function authJobs({ auth, config, database }: Parts): JobHandler[] {
  const url = new URL(`${AUTH_PATH}/request-password-reset`, config.PUBLIC_URL);
  return [
    handle(passwordReset, async ({ language, ...body }) => {
      const request = new Request(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'accept-language': language },
        body: JSON.stringify(body),
      });
      const ask = () => orDatabaseFailure(() => auth.handler(request));
      const { status } = await asDueReset(() => atomically(database, ask));
      if (status !== 200) throw new Error(`better-auth refused it: ${status}`);
    }),
  ];
}
