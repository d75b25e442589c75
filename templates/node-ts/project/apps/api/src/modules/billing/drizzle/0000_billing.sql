CREATE TABLE "billing_accounts" (
	"customer_id" text,
	"creation_key" uuid DEFAULT gen_random_uuid() NOT NULL,
	"revision" integer DEFAULT 0 NOT NULL,
	"had_subscription" boolean DEFAULT false NOT NULL,
	"subscription_id" text,
	"status" text,
	"plan" text,
	"interval" text,
	"quantity" integer,
	"trial_ends_at" timestamp (3) with time zone,
	"period_ends_at" timestamp (3) with time zone,
	"ends_at" timestamp (3) with time zone,
	"grace_ends_at" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"organization_id" text DEFAULT current_setting('app.organization_id', true) NOT NULL,
	CONSTRAINT "billing_accounts_organization_id_pk" PRIMARY KEY("organization_id"),
	CONSTRAINT "billing_accounts_customer" UNIQUE("customer_id")
);
--> statement-breakpoint
ALTER TABLE "billing_accounts" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "billing_events" (
	"id" text PRIMARY KEY NOT NULL,
	"type" text NOT NULL,
	"received_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "billing_plans" (
	"name" text PRIMARY KEY NOT NULL,
	"title" text NOT NULL,
	"seats" integer,
	"is_paid_by_seat" boolean NOT NULL,
	"is_default" boolean NOT NULL
);
--> statement-breakpoint
CREATE TABLE "billing_usage" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"identifier" text NOT NULL,
	"meter" text NOT NULL,
	"value" integer NOT NULL,
	"used_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"sent_at" timestamp (3) with time zone,
	"organization_id" text DEFAULT current_setting('app.organization_id', true) NOT NULL,
	CONSTRAINT "billing_usage_identifier" UNIQUE("organization_id","meter","identifier")
);
--> statement-breakpoint
ALTER TABLE "billing_usage" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "billing_accounts" ADD CONSTRAINT "billing_accounts_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "billing_usage" ADD CONSTRAINT "billing_usage_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "billing_events_by_age" ON "billing_events" USING btree ("received_at");--> statement-breakpoint
CREATE INDEX "billing_usage_by_age" ON "billing_usage" USING btree ("organization_id","meter","used_at");--> statement-breakpoint
CREATE POLICY "billing_accounts_of_tenant" ON "billing_accounts" AS PERMISSIVE FOR ALL TO public USING (organization_id = current_setting('app.organization_id', true)) WITH CHECK (organization_id = current_setting('app.organization_id', true));--> statement-breakpoint
CREATE POLICY "billing_accounts_by_customer" ON "billing_accounts" AS PERMISSIVE FOR SELECT TO public USING (customer_id = current_setting('app.billing_customer', true));--> statement-breakpoint
CREATE POLICY "billing_usage_of_tenant" ON "billing_usage" AS PERMISSIVE FOR ALL TO public USING (organization_id = current_setting('app.organization_id', true)) WITH CHECK (organization_id = current_setting('app.organization_id', true));
