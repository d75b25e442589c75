// `node database.mjs create|drop SERVER_URL NAME`: a database of the benchmark's own.
import { createRequire } from 'node:module';
import { join } from 'node:path';

const { default: pg } = await import(createRequire(join(process.cwd(), 'package.json')).resolve('pg'));
const [action, url, name] = process.argv.slice(2);
const client = new pg.Client(url);
await client.connect();
await client.query(action === 'create' ? `create database "${name}"` : `drop database if exists "${name}" with (force)`);
await client.end();
