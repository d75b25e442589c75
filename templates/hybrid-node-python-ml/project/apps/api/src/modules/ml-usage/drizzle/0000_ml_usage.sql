CREATE TABLE "ml_usage" (
	"month" text NOT NULL,
	"predictions" bigint NOT NULL,
	"organization_id" text DEFAULT current_setting('app.organization_id', true) NOT NULL,
	CONSTRAINT "ml_usage_organization_id_month_pk" PRIMARY KEY("organization_id","month")
);
--> statement-breakpoint
ALTER TABLE "ml_usage" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "ml_usage" ADD CONSTRAINT "ml_usage_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE POLICY "ml_usage_of_tenant" ON "ml_usage" AS PERMISSIVE FOR ALL TO public USING (organization_id = current_setting('app.organization_id', true)) WITH CHECK (organization_id = current_setting('app.organization_id', true));--> statement-breakpoint
CREATE POLICY "ml_usage_of_worker" ON "ml_usage" AS PERMISSIVE FOR ALL TO public USING (current_setting('app.job_worker', true) = 'on') WITH CHECK (current_setting('app.job_worker', true) = 'on');
