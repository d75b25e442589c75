ALTER TABLE "ml_usage" ADD COLUMN "tokens" bigint DEFAULT 0 NOT NULL;
