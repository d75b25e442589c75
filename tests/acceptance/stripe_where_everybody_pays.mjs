// The Stripe of the generated project's own tests, in which each checkout is paid at once, and the project told.
// Run in apps/api: `node stripe_where_everybody_pays.mjs ADDRESS PRICE`; prints its own address first.
import { pathToFileURL } from 'node:url';

const [address, price] = process.argv.slice(2);
const support = pathToFileURL(`${process.cwd()}/test/support/stripe-server.ts`);
const { StripeServer, signedEvent } = await import(support.href);
const stripe = new StripeServer();
console.log(await stripe.start());

for (;;) {
  for (const session of stripe.sessions.values()) {
    if (session.status !== 'open') continue;
    session.status = 'complete';
    const { customer } = session.form;
    const object = stripe.subscribe(customer, price);
    const { payload, headers } = signedEvent({ object });
    const told = await fetch(`${address}/webhooks/stripe`, { method: 'POST', headers, body: payload });
    console.log(`told of ${customer}: ${told.status}`);
  }
  await new Promise((resolve) => setTimeout(resolve, 50));
}
