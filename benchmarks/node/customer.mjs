// `node customer.mjs URL ORGANIZATION CUSTOMER`: makes an organization known as a customer of Stripe's.
import { createRequire } from 'node:module';
import { join } from 'node:path';

const { default: pg } = await import(createRequire(join(process.cwd(), 'package.json')).resolve('pg'));
const [url, organization, customer] = process.argv.slice(2);
const client = new pg.Client(url);
await client.connect();
await client.query("select set_config('app.organization_id', $1, false)", [organization]);
await client.query('insert into billing_accounts (organization_id, customer_id) values ($1, $2)', [
  organization,
  customer,
]);
await client.end();
