-- +goose Up
ALTER TABLE targets ADD COLUMN method TEXT NOT NULL DEFAULT 'GET';
ALTER TABLE targets ADD COLUMN expected_header TEXT NOT NULL DEFAULT '';
ALTER TABLE targets ADD COLUMN expected_body TEXT NOT NULL DEFAULT '';
ALTER TABLE targets ADD COLUMN recovery_threshold INTEGER NOT NULL DEFAULT 1;
ALTER TABLE targets ADD COLUMN successes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE targets ADD COLUMN succeeded_at INTEGER;

-- +goose Down
ALTER TABLE targets DROP COLUMN succeeded_at;
ALTER TABLE targets DROP COLUMN successes;
ALTER TABLE targets DROP COLUMN recovery_threshold;
ALTER TABLE targets DROP COLUMN expected_body;
ALTER TABLE targets DROP COLUMN expected_header;
ALTER TABLE targets DROP COLUMN method;
