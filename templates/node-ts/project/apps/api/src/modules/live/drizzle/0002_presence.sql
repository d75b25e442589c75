CREATE TABLE "live_presence" (
	"process" uuid NOT NULL,
	"user_id" text NOT NULL,
	"organization_id" text DEFAULT current_setting('app.organization_id', true) NOT NULL,
	CONSTRAINT "live_presence_organization_id_process_user_id_pk" PRIMARY KEY("organization_id","process","user_id")
);
--> statement-breakpoint
ALTER TABLE "live_presence" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "live_processes" (
	"id" uuid PRIMARY KEY NOT NULL,
	"until" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
ALTER TABLE "live_presence" ADD CONSTRAINT "live_presence_process_live_processes_id_fk" FOREIGN KEY ("process") REFERENCES "public"."live_processes"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "live_presence" ADD CONSTRAINT "live_presence_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "live_presence" ADD CONSTRAINT "live_presence_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "live_presence_by_process" ON "live_presence" USING btree ("process");--> statement-breakpoint
CREATE POLICY "live_presence_of_tenant" ON "live_presence" AS PERMISSIVE FOR ALL TO public USING (organization_id = current_setting('app.organization_id', true)) WITH CHECK (organization_id = current_setting('app.organization_id', true));--> statement-breakpoint
CREATE POLICY "live_presence_of_process" ON "live_presence" AS PERMISSIVE FOR SELECT TO public USING (process = nullif(current_setting('app.live_process', true), '')::uuid);
