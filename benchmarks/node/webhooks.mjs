// As little as a route for Stripe's events can do: the signature over the bytes, and each id stored once.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const { DATABASE_URL, PORT, STRIPE_WEBHOOK_SECRET } = process.env;
const { default: pg } = await import(createRequire(join(process.cwd(), 'package.json')).resolve('pg'));
const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 10 });
await pool.query('create table if not exists bare_events (id text primary key, type text not null)');
const STORE = {
  name: 'store',
  text: 'insert into bare_events values ($1, $2) on conflict do nothing returning id',
};

function isSigned(body, header) {
  const [time, signature] = /^t=(\d+),v1=(\w{64})$/.exec(header)?.slice(1) ?? ['0', ''];
  const wanted = createHmac('sha256', STRIPE_WEBHOOK_SECRET).update(`${time}.`).update(body).digest();
  const isNow = Math.abs(Date.now() / 1000 - Number(time)) < 300;
  return isNow && timingSafeEqual(wanted, Buffer.from(signature, 'hex'));
}

createServer(async (request, response) => {
  if (request.url === '/livez') return response.end('{}');
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  if (!isSigned(body, request.headers['stripe-signature'])) return response.writeHead(400).end();
  const { id, type } = JSON.parse(body);
  await pool.query({ ...STORE, values: [id, type] });
  const answer = JSON.stringify({ received: true });
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': answer.length });
  response.end(answer);
}).listen(Number(PORT), '127.0.0.1');
