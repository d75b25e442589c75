import { createHash, createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

const KEY = 'test-key';
const SECRET = 'test-secret';
const REGION = 'eu-test-1';

/**
 * A bucket that speaks as much of S3 as the application does: PUT, GET with a range, DELETE, and
 * signatures of version 4 in the headers or in the address, worked out here without its library.
 */
export class BucketServer {
  readonly objects = new Map<string, Buffer>();
  /** Bytes of the object that comes just now. */
  received = 0;
  /** Those of the last answer that its socket has taken. */
  sent = () => 0;
  /** While it is pending, no bytes are taken. */
  opens = Promise.resolve();
  /** Answers everything with this status, and with 0 by ending the connection. */
  fails: number | undefined;
  readonly #server = createServer((request, response) => void this.#answer(request, response));
  #origin = '';

  async start(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#origin = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** What the application is told of it. */
  get env() {
    return {
      FILES_BUCKET_URL: `${this.#origin}/bucket`,
      FILES_BUCKET_REGION: REGION,
      FILES_BUCKET_KEY: KEY,
      FILES_BUCKET_SECRET: SECRET,
    };
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', this.#origin);
    if (this.fails === 0) return void request.destroy();
    const refused = this.fails ?? refusalOf(request, url);
    if (refused) return void response.writeHead(refused).end();
    if (request.method === 'PUT') return this.#put(url.pathname, request, response);
    if (request.method === 'DELETE') {
      this.objects.delete(url.pathname);
      return void response.writeHead(204).end();
    }
    const object = this.objects.get(url.pathname);
    if (!object) return void response.writeHead(404).end();
    const asked = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
    const bytes = asked ? object.subarray(Number(asked[1]), Number(asked[2]) + 1) : object;
    response.writeHead(asked ? 206 : 200, {
      'content-length': bytes.length,
      'content-type': url.searchParams.get('response-content-type') ?? 'binary/octet-stream',
      'content-disposition': url.searchParams.get('response-content-disposition') ?? '',
    });
    const { socket } = response;
    const before = socket?.bytesWritten ?? 0;
    this.sent = () => (socket?.bytesWritten ?? 0) - (socket?.writableLength ?? 0) - before;
    response.end(bytes);
  }

  async #put(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.received = 0;
    const chunks: Buffer[] = [];
    await this.opens;
    try {
      for await (const chunk of request) {
        this.received += chunk.length;
        chunks.push(chunk);
      }
    } catch {
      // Cut off: there is no object then.
      return;
    }
    if (this.received !== Number(request.headers['content-length'])) {
      return void response.writeHead(400).end();
    }
    this.objects.set(path, Buffer.concat(chunks));
    response.writeHead(200).end();
  }
}

/** 403 for what is not signed as it is, or not any more. */
function refusalOf({ method = '', headers }: IncomingMessage, url: URL): number | undefined {
  const inAddress = url.searchParams.get('X-Amz-Signature');
  const inHeaders =
    /^AWS4-HMAC-SHA256 Credential=[^,]+, SignedHeaders=([^,]+), Signature=(\w+)$/.exec(
      headers.authorization ?? '',
    );
  const signature = inAddress ?? inHeaders?.[2];
  const names = url.searchParams.get('X-Amz-SignedHeaders') ?? inHeaders?.[1] ?? '';
  const time = url.searchParams.get('X-Amz-Date') ?? String(headers['x-amz-date']);
  const seconds = Number(url.searchParams.get('X-Amz-Expires') ?? 900);
  const began = Date.parse(time.replace(/^(....)(..)(..T..)(..)(..Z)$/, '$1-$2-$3:$4:$5'));
  if (Date.now() > began + seconds * 1_000) return 403;
  const query = [...url.searchParams]
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map((pair) => pair.map(encoded).join('='))
    .toSorted()
    .join('&');
  const lines = names.split(';').map((name) => `${name}:${headers[name]}\n`);
  const payload = headers['x-amz-content-sha256'] ?? 'UNSIGNED-PAYLOAD';
  const canonical = [method, url.pathname, query, lines.join(''), names, payload].join('\n');
  const scope = `${time.slice(0, 8)}/${REGION}/s3/aws4_request`;
  const hash = createHash('sha256').update(canonical).digest('hex');
  const key = scope
    .split('/')
    .reduce((secret: string | Buffer, part) => hmac(secret, part), `AWS4${SECRET}`);
  const wanted = hmac(key, ['AWS4-HMAC-SHA256', time, scope, hash].join('\n')).toString('hex');
  return signature === wanted ? undefined : 403;
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

function encoded(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
