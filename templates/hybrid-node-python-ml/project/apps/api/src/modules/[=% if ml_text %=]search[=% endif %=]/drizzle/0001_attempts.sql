ALTER TABLE "search_documents" ADD COLUMN "attempts" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "search_documents" ADD COLUMN "next_attempt_at" timestamp (3) with time zone;
