import { Billing, BillingLink, NewCheckout, OrganizationParams } from '@app/contracts';
import { eq } from 'drizzle-orm';
import { z } from 'zod';
import {
  accessOf,
  BY_SESSION,
  BY_SESSION_OR_API_KEY,
  ORGANIZATION_PATH,
} from '../../auth/access.ts';
import { members } from '../../auth/schema.ts';
import type { App } from '../../http/app.ts';
import { problems } from '../../http/openapi.ts';
import { ProblemError } from '../../http/problems.ts';
import type { Services } from '../../module.ts';
import { planOf } from './accounts.ts';
import { openCheckout } from './checkout.ts';
import { askStripe, type BillingParts, refuseUnconfigured } from './stripe.ts';

const PATH = `${ORGANIZATION_PATH}/billing`;
const base = { tags: ['billing'], params: OrganizationParams };
type Parts = Services & BillingParts;

export function registerRoutes(app: App, parts: Parts): void {
  registerRead(app, parts);
  registerCheckout(app, parts);
  registerPortal(app, parts);
}

function registerRead(app: App, parts: Parts): void {
  const { database, requires } = parts;
  app.get(
    PATH,
    {
      preParsing: requires('billing:read'),
      schema: {
        ...base,
        security: BY_SESSION_OR_API_KEY,
        operationId: 'readBilling',
        summary: "Read the organization's plan, and what it includes",
        response: { 200: Billing, ...problems(400, 401, 403, 404, 429) },
      },
    },
    async (request, reply) => {
      const { organizationId } = accessOf(request);
      const { plan, account } = await planOf(parts, organizationId);
      const used = await database.db.$count(members, eq(members.organizationId, organizationId));
      const paid = plan.seats === 'paid' ? (account?.quantity ?? 0) : plan.seats;
      const text = (moment: Date | null | undefined) => moment?.toISOString() ?? null;
      return reply.code(200).send({
        plan: plan.name,
        title: plan.title,
        entitlements: [...plan.entitlements],
        seats: { used, total: paid === 'unlimited' ? null : paid },
        subscription: account?.status
          ? {
              status: account.status,
              plan: account.plan ?? '',
              interval: account.interval ?? 'month',
              trialEndsAt: text(account.trialEndsAt),
              periodEndsAt: text(account.periodEndsAt),
              endsAt: text(account.endsAt),
              graceEndsAt: text(account.graceEndsAt),
            }
          : null,
      });
    },
  );
}

function registerCheckout(app: App, parts: Parts): void {
  const { catalogue, env, requires } = parts;
  const names = catalogue.buyable.map(({ name }) => name);
  const Body = NewCheckout.extend({ plan: z.enum(names) }).meta({ id: 'NewCheckout' });
  app.post(
    `${PATH}/checkout`,
    {
      preParsing: [requires('billing:manage'), refuseUnconfigured(env)],
      schema: {
        ...base,
        security: BY_SESSION,
        operationId: 'createCheckout',
        summary: 'Begin a subscription: the answer is where to pay. It ends those begun before',
        body: Body,
        response: {
          201: BillingLink,
          ...problems(400, 401, 403, 404, 409, 413, 415, 429),
        },
      },
    },
    async (request, reply) => {
      const { organizationId } = accessOf(request);
      const url = await askStripe(() =>
        openCheckout({ ...parts, log: request.log }, organizationId, request.body),
      );
      return reply.code(201).send({ url });
    },
  );
}

function registerPortal(app: App, parts: Parts): void {
  const { config, connect, env, requires } = parts;
  app.post(
    `${PATH}/portal`,
    {
      preParsing: [requires('billing:manage'), refuseUnconfigured(env)],
      schema: {
        ...base,
        security: BY_SESSION,
        operationId: 'createPortalLink',
        summary: 'Manage the subscription, cards and bills: the answer is where',
        response: { 201: BillingLink, ...problems(400, 401, 403, 404, 409, 429) },
      },
    },
    async (request, reply) => {
      const { account } = await planOf(parts, accessOf(request).organizationId);
      const customer = account?.customerId;
      if (!customer) throw new ProblemError(409, 'no_customer', 'There is nothing to manage yet');
      const stripe = await connect();
      const { url } = await askStripe(() =>
        stripe.billingPortal.sessions.create({ customer, return_url: `${config.APP_URL}/billing` }),
      );
      return reply.code(201).send({ url });
    },
  );
}
