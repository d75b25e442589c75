-- Binds the table's owner too. Who may use which table is settled after each migration: src/db/grants.ts.
ALTER TABLE projects FORCE ROW LEVEL SECURITY;
