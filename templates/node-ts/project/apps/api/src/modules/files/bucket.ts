import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { AwsV4Signer } from 'aws4fetch';
import { type FileStorage, type Labels, type Range, storageFailed } from './storage.ts';

/** How long a bucket may take to begin its answer, where no caller's bytes are waited for. */
const SILENCE_MS = 30_000;

export interface BucketOptions {
  /** The bucket's own: what follows a slash behind it is the name of an object. */
  readonly url: string;
  readonly region: string;
  readonly key: string;
  readonly secret: string;
}

interface Asked {
  readonly method: 'PUT' | 'GET' | 'DELETE';
  readonly headers?: Record<string, string>;
  readonly body?: AsyncIterable<Buffer>;
  readonly signal?: AbortSignal;
  /** Statuses of which the answer is taken. */
  readonly wanted: readonly number[];
}

/** A bucket of S3, or of what speaks like it. */
export class BucketStorage implements FileStorage {
  readonly #options: BucketOptions;

  constructor(options: BucketOptions) {
    this.#options = options;
  }

  /** S3 shows an object when all of it has come, as many bytes as were announced. */
  async write(
    id: string,
    bytes: AsyncIterable<Buffer>,
    size: number,
    signal: AbortSignal,
  ): Promise<void> {
    const headers = {
      'content-length': String(size),
      // Whoever gives out addresses of the bucket by other ways than ours shows no pages with them.
      'content-type': 'application/octet-stream',
      'content-disposition': 'attachment',
    };
    const asked = { method: 'PUT', headers, body: bytes, signal, wanted: [200] } as const;
    (await this.#ask(id, asked)).resume();
  }

  async read(id: string, { start, end }: Range): Promise<NodeJS.ReadableStream> {
    const headers = { range: `bytes=${start}-${end}` };
    return this.#ask(id, { method: 'GET', headers, wanted: [206] });
  }

  async remove(id: string): Promise<void> {
    (await this.#ask(id, { method: 'DELETE', wanted: [200, 204, 404] })).resume();
  }

  async link(id: string, { type, disposition }: Labels, seconds: number): Promise<string> {
    const url = new URL(this.#urlOf(id));
    url.searchParams.set('X-Amz-Expires', String(seconds));
    url.searchParams.set('response-content-type', type);
    url.searchParams.set('response-content-disposition', disposition);
    url.searchParams.set('response-cache-control', 'private, no-store');
    const signed = await this.#signer(url.href, { method: 'GET', signQuery: true }).sign();
    // Signed as RFC 3986 writes a space, which URLSearchParams writes as a plus.
    return signed.url.href.replaceAll('+', '%20');
  }

  async #ask(id: string, { body, signal, wanted, ...asked }: Asked): Promise<IncomingMessage> {
    try {
      const { url, headers } = await this.#signer(this.#urlOf(id), asked).sign();
      const send = url.protocol === 'https:' ? requestHttps : requestHttp;
      const request = send(url, {
        method: asked.method,
        headers: Object.fromEntries(headers),
        // One that was kept may be closed by the other side just then, and bytes are sent only once.
        agent: false,
        ...(signal && { signal }),
      });
      if (!body) request.setTimeout(SILENCE_MS, () => request.destroy(new Error('no answer')));
      const answered = new Promise<IncomingMessage>((resolve, reject) => {
        request.once('error', reject);
        request.once('response', (response) => {
          request.setTimeout(0);
          resolve(response);
        });
      });
      const [response] = await Promise.all([answered, sendBody(request, body)]);
      if (wanted.includes(response.statusCode ?? 0)) return response;
      response.resume();
      throw new Error(`the bucket answers ${response.statusCode} to ${asked.method}`);
    } catch (error) {
      throw storageFailed(error);
    }
  }

  #signer(url: string, more: Partial<ConstructorParameters<typeof AwsV4Signer>[0]>): AwsV4Signer {
    const { region, key, secret } = this.#options;
    const signed = { service: 's3', region, accessKeyId: key, secretAccessKey: secret };
    return new AwsV4Signer({ ...more, ...signed, url });
  }

  #urlOf(id: string): string {
    return `${this.#options.url}/${id}`;
  }
}

async function sendBody(
  request: NodeJS.WritableStream,
  body: AsyncIterable<Buffer> | undefined,
): Promise<void> {
  if (body) await pipeline(Readable.from(body, { objectMode: false }), request);
  else request.end();
}
