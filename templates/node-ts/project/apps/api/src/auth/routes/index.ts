import { accounts } from './accounts.ts';
import { organizations } from './organizations.ts';

/** Those of better-auth's routes that clients use, by the tag of the API document. */
export const routes = { accounts, organizations };
