import { AsyncLocalStorage } from 'node:async_hooks';
import type { Database } from '../db/database.ts';
import type { Letter } from '../mail/letter.ts';
import { postMail, postToNobody } from '../mail/post.ts';
import { noteFailure } from './database-failures.ts';

/** Where better-auth's mails go: into the transaction that is under way. */
export interface Postbox {
  post(to: string, letter: Letter): Promise<void>;
  /** Lets what `work` does take as long for an address that nobody has, and that gets no mail. */
  alike(work: () => Promise<Response>): Promise<Response>;
}

export function createPostbox({ db }: Database): Postbox {
  const current = new AsyncLocalStorage<{ posted: boolean }>();
  return {
    async post(to, letter) {
      const request = current.getStore();
      if (request) request.posted = true;
      // better-auth would only log that its mail could not be sent.
      await postMail(db, to, letter).catch(noteFailure);
    },
    async alike(work) {
      const request = { posted: false };
      const response = await current.run(request, work);
      if (response.status < 400 && !request.posted) await postToNobody(db);
      return response;
    },
  };
}
