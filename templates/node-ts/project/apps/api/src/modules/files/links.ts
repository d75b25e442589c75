import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { ProblemError } from '../../http/problems.ts';

export const LINK_PATH = '/api/v1/file-links';

/** What stands in the address of a link. Who changes any of it has no signature for that. */
export const LinkQuery = z.object({
  organization: z.string().min(1).max(200),
  file: z.uuid(),
  expires: z.coerce.number().int().min(0).max(99_999_999_999).describe('Seconds since 1970'),
  signature: z.string().max(100),
});
export type Link = Omit<z.output<typeof LinkQuery>, 'signature'>;

/** Signs addresses with a key of their own, made from the application's secret. */
export class Links {
  readonly #key: Uint8Array;
  readonly #origin: string;

  constructor(secret: string, origin: string) {
    this.#key = new Uint8Array(hkdfSync('sha256', secret, '', 'links to files', 32));
    this.#origin = origin;
  }

  urlOf(link: Link): string {
    const query = { ...link, expires: String(link.expires), signature: this.#sign(link) };
    return `${this.#origin}${LINK_PATH}?${new URLSearchParams(query)}`;
  }

  /** A problem where it was not signed here as it is, or where its time is over. */
  check({ signature, ...link }: z.output<typeof LinkQuery>): void {
    const [given, wanted] = [signature, this.#sign(link)].map((text) => Buffer.from(text ?? ''));
    if (!given || !wanted || given.length !== wanted.length || !timingSafeEqual(given, wanted)) {
      throw new ProblemError(
        401,
        'file_link_invalid',
        'This is not a link that was given out here',
      );
    }
    if (link.expires * 1_000 <= Date.now()) {
      throw new ProblemError(403, 'file_link_expired', 'The time of this link is over');
    }
  }

  #sign({ organization, file, expires }: Link): string {
    const text = JSON.stringify([organization, file, expires]);
    return createHmac('sha256', this.#key).update(text).digest('base64url');
  }
}
