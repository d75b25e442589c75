-- +goose Up
ALTER TABLE targets ADD COLUMN failed_at TIMESTAMPTZ;
ALTER TABLE targets ADD COLUMN webhook_gone_at TIMESTAMPTZ;
ALTER TABLE targets ADD COLUMN certificate_warned TIMESTAMPTZ;
ALTER TABLE results ADD COLUMN certificate_expires_at TIMESTAMPTZ;

-- +goose Down
ALTER TABLE results DROP COLUMN certificate_expires_at;
ALTER TABLE targets DROP COLUMN certificate_warned;
ALTER TABLE targets DROP COLUMN webhook_gone_at;
ALTER TABLE targets DROP COLUMN failed_at;
