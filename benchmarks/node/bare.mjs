// node:http and pg with the statements that the generated project was seen to send, and nothing else.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const { DATABASE_URL, ORGANIZATION_ID, PORT, STATEMENTS } = process.env;
const { default: pg } = await import(createRequire(join(process.cwd(), 'package.json')).resolve('pg'));
const statements = JSON.parse(readFileSync(STATEMENTS, 'utf8'));
const list = statements.find(({ text }) => text.includes('from "projects"'));

const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 10 });
// For one statement alone: the organization whose rows are shown is the connection's.
const ofTenant = new pg.Pool({
  connectionString: DATABASE_URL,
  max: 10,
  options: `-c app.organization_id=${ORGANIZATION_ID}`,
});

const routes = {
  '/livez': async () => ({ status: 'alive' }),
  '/one': async () => page(await ofTenant.query({ ...list })),
  '/same': async () => {
    const client = await pool.connect();
    let answer;
    for (const statement of statements) {
      const result = await client.query({ ...statement });
      if (statement === list) answer = page(result);
    }
    client.release();
    return answer;
  },
};

function page({ rows }) {
  const items = rows.map(({ id, name, description, status, version, created_at, updated_at }) => {
    return { id, name, description, status, version, createdAt: created_at, updatedAt: updated_at };
  });
  return { items, nextCursor: null };
}

createServer(async (request, response) => {
  const body = JSON.stringify(await routes[request.url]());
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
}).listen(Number(PORT), '127.0.0.1');
