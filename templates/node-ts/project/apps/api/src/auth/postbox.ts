import type { Database } from '../db/database.ts';
import type { Letter } from '../mail/letter.ts';
import { postMail } from '../mail/post.ts';
import { noteFailure } from './database-failures.ts';

/** Where better-auth's mails go: into the transaction that is under way. */
export interface Postbox {
  post(to: string, letter: Letter): Promise<void>;
}

export function createPostbox({ db }: Database): Postbox {
  // better-auth would only log that its mail could not be sent.
  return { post: (to, letter) => postMail(db, to, letter).catch(noteFailure) };
}
