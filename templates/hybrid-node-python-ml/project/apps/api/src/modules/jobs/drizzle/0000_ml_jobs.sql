CREATE TABLE "ml_jobs" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"organization_id" text DEFAULT current_setting('app.organization_id', true) NOT NULL,
	"created_by" text NOT NULL,
	"idempotency_key" text NOT NULL,
	"fingerprint" text NOT NULL,
	"request_id" text NOT NULL,
	"traceparent" text NOT NULL,
	"status" text DEFAULT 'queued' NOT NULL,
	"input" jsonb NOT NULL,
	"result" jsonb,
	"problem" jsonb,
	"attempts" integer DEFAULT 0 NOT NULL,
	"run_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"lease_token" uuid,
	"lease_until" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"started_at" timestamp (3) with time zone,
	"finished_at" timestamp (3) with time zone,
	CONSTRAINT "ml_jobs_once" UNIQUE("organization_id","created_by","idempotency_key")
);
--> statement-breakpoint
ALTER TABLE "ml_jobs" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "ml_jobs" ADD CONSTRAINT "ml_jobs_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "ml_jobs" ADD CONSTRAINT "ml_jobs_created_by_users_id_fk" FOREIGN KEY ("created_by") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "ml_jobs_by_age" ON "ml_jobs" USING btree ("organization_id","created_at","id");--> statement-breakpoint
CREATE INDEX "ml_jobs_due" ON "ml_jobs" USING btree ("run_at") WHERE status = 'queued';--> statement-breakpoint
CREATE INDEX "ml_jobs_leased" ON "ml_jobs" USING btree ("lease_until") WHERE status = 'running';--> statement-breakpoint
CREATE INDEX "ml_jobs_finished" ON "ml_jobs" USING btree ("finished_at");--> statement-breakpoint
CREATE POLICY "ml_jobs_of_tenant" ON "ml_jobs" AS PERMISSIVE FOR ALL TO public USING (organization_id = current_setting('app.organization_id', true)) WITH CHECK (organization_id = current_setting('app.organization_id', true));--> statement-breakpoint
CREATE POLICY "ml_jobs_of_worker" ON "ml_jobs" AS PERMISSIVE FOR ALL TO public USING (current_setting('app.job_worker', true) = 'on') WITH CHECK (current_setting('app.job_worker', true) = 'on');
