-- Every tenant's queries run as app_tenant (src/db/tenant.ts). Roles belong to the whole
-- cluster, so another database may have made it already; where the database user may not
-- create roles, an administrator runs these two first:
--   CREATE ROLE app_tenant NOLOGIN;  GRANT app_tenant TO <the application's user>;
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'app_tenant') THEN
    CREATE ROLE app_tenant NOLOGIN;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
  NULL; -- another database of this cluster made it in the same moment
END $$;
--> statement-breakpoint
DO $$
BEGIN
  EXECUTE format('GRANT app_tenant TO %I', current_user);
EXCEPTION WHEN insufficient_privilege THEN
  NULL; -- an administrator made the role; the next statement tells whether it was granted
END $$;
--> statement-breakpoint
-- Fails here, rather than at the first request, when this user cannot become app_tenant.
SET LOCAL ROLE app_tenant;
--> statement-breakpoint
RESET ROLE;
--> statement-breakpoint
-- app_tenant may touch the tables named here and no other. FORCE binds the owner too.
GRANT USAGE ON SCHEMA public TO app_tenant;
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON projects TO app_tenant;
--> statement-breakpoint
ALTER TABLE projects FORCE ROW LEVEL SECURITY;
