import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import Stripe from 'stripe';

export const STRIPE_KEY = 'sk_test_of_the_tests';
export const STRIPE_SECRET = 'whsec_of_the_tests';

interface Customer {
  readonly id: string;
  readonly organizationId: string;
  deleted: boolean;
}

export interface Subscription {
  readonly id: string;
  readonly customer: string;
  readonly created: number;
  status: string;
  price: string;
  quantity: number;
  trial_end: number | null;
  cancel_at_period_end: boolean;
  period: { start: number; end: number };
  /** When bills were written that nobody has paid. */
  unpaid: number[];
}

interface Session {
  readonly id: string;
  readonly created: number;
  readonly form: Readonly<Record<string, string>>;
  status: 'open' | 'expired' | 'complete';
}

type Form = Readonly<Record<string, string>>;
type Answer = readonly [status: number, body: object];

/** As much of Stripe as the application asks for, over HTTP, and held to what Stripe says of itself. */
export class StripeServer {
  readonly customers = new Map<string, Customer>();
  readonly subscriptions = new Map<string, Subscription>();
  readonly sessions = new Map<string, Session>();
  readonly meterEvents = new Map<string, Form>();
  /** What was asked, oldest first: `POST /v1/customers`. */
  readonly requests: string[] = [];
  /** Instead of doing what it is asked: a status, or null to hang up. */
  failure: number | null | undefined;
  /** The next that asks for a customer gets what there is now, once this is over. */
  hold: Promise<void> | undefined;
  /** Answers by idempotency key: Stripe gives the same again, failures of its own included. */
  readonly #kept = new Map<string, { asked: string; answer: Answer }>();
  readonly #server = createServer((request, response) => void this.#serve(request, response));
  #ids = 0;

  async start(): Promise<string> {
    await once(this.#server.listen(0, '127.0.0.1'), 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  newId(prefix: string): string {
    this.#ids += 1;
    return `${prefix}_${String(this.#ids).padStart(6, '0')}`;
  }

  /** The customer of an organization, which must be the only one. */
  customerOf(organizationId: string): Customer {
    const all = [...this.customers.values()].filter(
      (each) => each.organizationId === organizationId && !each.deleted,
    );
    if (all.length !== 1 || !all[0]) throw new Error(`${organizationId} has ${all.length}`);
    return all[0];
  }

  subscribe(customer: string, price: string, more: Partial<Subscription> = {}): Subscription {
    const now = Math.floor(Date.now() / 1_000);
    const subscription: Subscription = {
      id: this.newId('sub'),
      customer,
      created: now,
      status: 'active',
      price,
      quantity: 1,
      trial_end: null,
      cancel_at_period_end: false,
      period: { start: now, end: now + 30 * 86_400 },
      unpaid: [],
      ...more,
    };
    this.subscriptions.set(subscription.id, subscription);
    return subscription;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://stripe');
    let body = '';
    for await (const chunk of request) body += chunk;
    const asked = `${request.method} ${pathname}`;
    this.requests.push(asked);
    if (this.failure === null) {
      response.destroy();
      return;
    }
    const form = Object.fromEntries(
      request.method === 'POST' ? new URLSearchParams(body) : searchParams,
    );
    const key = request.headers['idempotency-key'];
    const [status, answer] = this.#once(
      String(key ?? crypto.randomUUID()),
      `${asked} ${body}`,
      () =>
        request.headers.authorization === `Bearer ${STRIPE_KEY}`
          ? this.#answer(asked, form)
          : failed(401, 'Invalid API Key provided'),
    );
    const { hold } = this;
    if (hold && asked.startsWith('GET /v1/customers/')) {
      this.hold = undefined;
      await hold;
    }
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  }

  #once(key: string, asked: string, work: () => Answer): Answer {
    const before = this.#kept.get(key);
    if (before && before.asked !== asked) {
      return [400, { error: { type: 'idempotency_error', message: 'The key is of another' } }];
    }
    const answer = before?.answer ?? (this.failure ? failed(this.failure, 'Sorry') : work());
    // It has not begun with what it has no time for.
    if (answer[0] !== 429) this.#kept.set(key, { asked, answer });
    return answer;
  }

  #answer(asked: string, form: Form): Answer {
    const [id = ''] = /[a-z]+_\d+/.exec(asked) ?? [];
    switch (asked.replace(/[a-z]+_\d+/, ':id')) {
      case 'POST /v1/customers':
        return this.#addCustomer(form['metadata[organizationId]'] ?? '');
      case 'GET /v1/customers/:id':
        return this.#readCustomer(id);
      case 'DELETE /v1/customers/:id':
        return this.#deleteCustomer(id);
      case 'GET /v1/invoices':
        return list(
          (this.subscriptions.get(form.subscription ?? '')?.unpaid ?? []).map((created) => ({
            object: 'invoice',
            created,
          })),
        );
      case 'POST /v1/checkout/sessions':
        return this.#addSession(form);
      case 'GET /v1/checkout/sessions':
        return list(
          [...this.sessions.values()]
            .filter(
              ({ form: { customer }, status }) =>
                customer === form.customer && status === form.status,
            )
            .map(({ id, created }) => ({ id, created })),
        );
      case 'POST /v1/checkout/sessions/:id/expire':
        return this.#expireSession(id);
      case 'POST /v1/billing_portal/sessions':
        return [200, { url: `https://billing.stripe.test/${form.customer}?to=${form.return_url}` }];
      case 'POST /v1/billing/meter_events':
        return this.#addMeterEvent(form);
      default:
        return failed(404, `Unrecognized request URL (${asked})`);
    }
  }

  #addCustomer(organizationId: string): Answer {
    const customer = { id: this.newId('cus'), organizationId, deleted: false };
    this.customers.set(customer.id, customer);
    return [200, { object: 'customer', id: customer.id }];
  }

  #readCustomer(id: string): Answer {
    const customer = this.customers.get(id);
    if (!customer) return missing(id);
    if (customer.deleted) return [200, { id, deleted: true }];
    const live = [...this.subscriptions.values()].filter(
      (each) => each.customer === id && each.status !== 'canceled',
    );
    return [200, { id, subscriptions: { object: 'list', data: live.map(toStripe) } }];
  }

  #deleteCustomer(id: string): Answer {
    const customer = this.customers.get(id);
    if (!customer || customer.deleted) return missing(id);
    customer.deleted = true;
    for (const each of this.subscriptions.values()) {
      if (each.customer === id) each.status = 'canceled';
    }
    return [200, { id, deleted: true }];
  }

  #addSession(form: Form): Answer {
    const customer = this.customers.get(form.customer ?? '');
    if (!customer || customer.deleted) return missing(form.customer ?? '');
    const id = this.newId('cs');
    this.sessions.set(id, { id, created: Math.floor(Date.now() / 1_000), form, status: 'open' });
    return [200, { id, url: `https://checkout.stripe.test/${id}` }];
  }

  #expireSession(id: string): Answer {
    const session = this.sessions.get(id);
    if (session?.status !== 'open') return failed(400, 'Only open sessions can be expired');
    session.status = 'expired';
    return [200, { id }];
  }

  #addMeterEvent(form: Form): Answer {
    const identifier = form.identifier ?? '';
    if (this.meterEvents.has(identifier)) {
      return failed(400, `An event already exists with identifier ${identifier}.`);
    }
    this.meterEvents.set(identifier, form);
    return [200, { object: 'billing.meter_event', identifier }];
  }
}

/** The body of an event and the header that it comes with. */
export function signedEvent(
  event: { readonly id?: string; readonly type?: string; readonly object: object },
  { secret = STRIPE_SECRET, secondsAgo = 0 } = {},
) {
  const {
    id = `evt_${crypto.randomUUID()}`,
    type = 'customer.subscription.updated',
    object,
  } = event;
  const payload = JSON.stringify({ id, object: 'event', type, data: { object } });
  const timestamp = Math.floor(Date.now() / 1_000) - secondsAgo;
  const signature = Stripe.webhooks.generateTestHeaderString({ payload, secret, timestamp });
  return {
    payload,
    headers: { 'content-type': 'application/json', 'stripe-signature': signature },
  };
}

function toStripe({ price, quantity, period, unpaid: _, ...rest }: Subscription): object {
  const item = {
    price: { id: price },
    quantity,
    current_period_start: period.start,
    current_period_end: period.end,
  };
  return {
    object: 'subscription',
    cancel_at: null,
    ...rest,
    items: { object: 'list', data: [item] },
  };
}

function list(data: readonly object[]): Answer {
  return [200, { object: 'list', has_more: false, data }];
}

function failed(status: number, message: string, code?: string): Answer {
  const type = status >= 500 ? 'api_error' : 'invalid_request_error';
  return [status, { error: { type, message, ...(code && { code }) } }];
}

function missing(id: string): Answer {
  return failed(404, `No such customer: '${id}'`, 'resource_missing');
}
