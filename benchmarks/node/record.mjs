// Preloaded into the generated project: writes every statement that pg is given to the file RECORD, one JSON a line.
import { appendFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const { default: pg } = await import(createRequire(join(process.cwd(), 'package.json')).resolve('pg'));
const { query } = pg.Client.prototype;

pg.Client.prototype.query = function record(statement, values, ...rest) {
  const { text = statement, name, values: own } = statement;
  appendFileSync(process.env.RECORD, `${JSON.stringify({ text, name, values: values ?? own ?? [] })}\n`);
  return query.call(this, statement, values, ...rest);
};
