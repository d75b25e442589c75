DO $$ BEGIN
	IF NOT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector') THEN
		RAISE EXCEPTION 'This PostgreSQL server has no pgvector, which search needs: install the package postgresql-%-pgvector on it, or take the image pgvector/pgvector (docs/search.md)', current_setting('server_version_num')::int / 10000;
	END IF;
	CREATE EXTENSION IF NOT EXISTS vector;
EXCEPTION WHEN insufficient_privilege THEN
	RAISE EXCEPTION 'Search needs pgvector in this database, and % may not add it: have a superuser run CREATE EXTENSION vector there (docs/search.md)', current_user;
END $$;--> statement-breakpoint
CREATE TABLE "search_documents" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"title" text NOT NULL,
	"text" text NOT NULL,
	"status" text DEFAULT 'pending' NOT NULL,
	"problem" text,
	"encoder" text,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"words" "tsvector" GENERATED ALWAYS AS (setweight(to_tsvector('english', title), 'A') || to_tsvector('english', text)) STORED,
	"organization_id" text DEFAULT current_setting('app.organization_id', true) NOT NULL,
	CONSTRAINT "search_documents_of_organization" UNIQUE("id","organization_id")
);
--> statement-breakpoint
ALTER TABLE "search_documents" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "search_passages" (
	"document_id" uuid NOT NULL,
	"place" integer NOT NULL,
	"text" text NOT NULL,
	"encoder" text NOT NULL,
	"embedding" vector NOT NULL,
	"organization_id" text DEFAULT current_setting('app.organization_id', true) NOT NULL,
	CONSTRAINT "search_passages_document_id_place_pk" PRIMARY KEY("document_id","place")
);
--> statement-breakpoint
ALTER TABLE "search_passages" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "search_documents" ADD CONSTRAINT "search_documents_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "search_passages" ADD CONSTRAINT "search_passages_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "search_passages" ADD CONSTRAINT "search_passages_of_document" FOREIGN KEY ("document_id","organization_id") REFERENCES "public"."search_documents"("id","organization_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "search_documents_by_age" ON "search_documents" USING btree ("organization_id","created_at","id");--> statement-breakpoint
CREATE INDEX "search_documents_pending" ON "search_documents" USING btree ("organization_id") WHERE status = 'pending';--> statement-breakpoint
CREATE INDEX "search_passages_by_encoder" ON "search_passages" USING btree ("organization_id","encoder");--> statement-breakpoint
CREATE POLICY "search_documents_of_tenant" ON "search_documents" AS PERMISSIVE FOR ALL TO public USING (organization_id = current_setting('app.organization_id', true)) WITH CHECK (organization_id = current_setting('app.organization_id', true));--> statement-breakpoint
CREATE POLICY "search_documents_of_worker" ON "search_documents" AS PERMISSIVE FOR ALL TO public USING (current_setting('app.search_worker', true) = 'on') WITH CHECK (current_setting('app.search_worker', true) = 'on');--> statement-breakpoint
CREATE POLICY "search_passages_of_tenant" ON "search_passages" AS PERMISSIVE FOR ALL TO public USING (organization_id = current_setting('app.organization_id', true)) WITH CHECK (organization_id = current_setting('app.organization_id', true));
