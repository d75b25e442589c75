import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { ProblemError } from '../../http/problems.ts';

/** Bytes in hexadecimal, at their place from the beginning. */
type Signature = readonly (readonly [place: number, bytes: string])[];

const ZIP: readonly Signature[] = [[[0, '504b0304']]];
const OFFICE = 'application/vnd.openxmlformats-officedocument';

/**
 * The types that can be recognised, and by what: 'text' is UTF-8 without control characters. Nothing
 * else is taken, since nobody could say what it is. HTML and SVG are none of them: browsers run those.
 */
const KNOWN = {
  'text/plain': 'text',
  'text/csv': 'text',
  'application/json': 'text',
  'application/pdf': [[[0, '255044462d']]],
  'application/zip': ZIP,
  [`${OFFICE}.wordprocessingml.document`]: ZIP,
  [`${OFFICE}.spreadsheetml.sheet`]: ZIP,
  [`${OFFICE}.presentationml.presentation`]: ZIP,
  'audio/mpeg': [[[0, '494433']], [[0, 'fffb']], [[0, 'fff3']]],
  'image/gif': [[[0, '474946383761']], [[0, '474946383961']]],
  'image/jpeg': [[[0, 'ffd8ff']]],
  'image/png': [[[0, '89504e470d0a1a0a']]],
  'image/webp': [
    [
      [0, '52494646'],
      [8, '57454250'],
    ],
  ],
  'video/mp4': [[[4, '66747970']]],
} satisfies Record<string, 'text' | readonly Signature[]>;

const SIGNATURES: Readonly<Record<string, 'text' | readonly Signature[]>> = KNOWN;
export const TYPES = Object.keys(KNOWN);
/** No signature ends behind it. */
const HEAD = 16;
const CONTROL = /[^\P{Cc}\t\n\f\r]/u;

/** The bytes of one upload, looked at as they pass by. */
export class Content {
  readonly #signatures: 'text' | readonly Signature[];
  readonly #size: number;
  readonly #hash = createHash('sha256');
  readonly #decoder = new TextDecoder('utf-8', { fatal: true });

  constructor(type: string, size: number) {
    this.#signatures = SIGNATURES[type] ?? [];
    this.#size = size;
  }

  /** Known once all bytes have passed. */
  sha256(): string {
    return this.#hash.digest('hex');
  }

  /**
   * Passes them on as fast as they are asked for, and ends with a problem where they are not what was
   * declared. The source is left as it is then, so that the caller can still be answered.
   */
  async *of(source: Readable): AsyncGenerator<Buffer, void> {
    let head: Buffer | undefined = Buffer.alloc(0);
    let count = 0;
    for await (const chunk of chunksOf(source)) {
      count += chunk.length;
      if (count > this.#size) throw otherSize();
      let next: Buffer = chunk;
      if (head !== undefined) {
        head = Buffer.concat([head, chunk]);
        if (head.length < HEAD && count < this.#size) continue;
        this.#recognise(head);
        next = head;
        head = undefined;
      }
      this.#hash.update(next);
      this.#read(next, count === this.#size);
      yield next;
    }
    if (count < this.#size) throw otherSize();
  }

  #recognise(head: Buffer): void {
    if (this.#signatures === 'text') return;
    const found = this.#signatures.some((signature) =>
      signature.every(([place, bytes]) =>
        head.subarray(place, HEAD).toString('hex').startsWith(bytes),
      ),
    );
    if (!found) throw otherType();
  }

  #read(chunk: Buffer, isLast: boolean): void {
    if (this.#signatures !== 'text') return;
    try {
      if (!CONTROL.test(this.#decoder.decode(chunk, { stream: !isLast }))) return;
    } catch {
      // Not UTF-8.
    }
    throw otherType();
  }
}

/** A caller who goes away is nobody's failure, whichever error tells of it. */
async function* chunksOf(source: Readable): AsyncGenerator<Buffer, void> {
  try {
    yield* source.iterator({ destroyOnReturn: false });
  } catch {
    throw new ProblemError(400, 'request_cut_off', 'The request did not come whole');
  }
}

function otherType(): ProblemError {
  return new ProblemError(415, 'file_type_mismatch', 'The content is not of the declared type');
}

function otherSize(): ProblemError {
  return new ProblemError(400, 'file_size_mismatch', 'The content is not as long as declared');
}
