-- +goose Up
CREATE TABLE targets (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    url TEXT NOT NULL,
    interval_ms INTEGER NOT NULL,
    timeout_ms INTEGER NOT NULL,
    expected_status INTEGER NOT NULL,
    failure_threshold INTEGER NOT NULL,
    webhook_url TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    state TEXT NOT NULL,
    failures INTEGER NOT NULL,
    next_check_at INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX targets_due ON targets (next_check_at) WHERE enabled;

CREATE TABLE results (
    id TEXT NOT NULL PRIMARY KEY,
    target_id TEXT NOT NULL REFERENCES targets (id) ON DELETE CASCADE,
    checked_at INTEGER NOT NULL,
    healthy INTEGER NOT NULL,
    status_code INTEGER NOT NULL,
    latency_us INTEGER NOT NULL,
    failure TEXT NOT NULL
) STRICT;
CREATE INDEX results_by_target ON results (target_id, id DESC);
CREATE INDEX results_by_time ON results (checked_at);

-- An outbox: an alert is written together with the result that caused it.
CREATE TABLE alerts (
    id TEXT NOT NULL PRIMARY KEY,
    target_id TEXT NOT NULL REFERENCES targets (id) ON DELETE CASCADE,
    webhook_url TEXT NOT NULL,
    payload TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    next_attempt_at INTEGER,
    delivered_at INTEGER,
    last_error TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX alerts_due ON alerts (next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX alerts_by_target ON alerts (target_id);

-- +goose Down
DROP TABLE alerts;
DROP TABLE results;
DROP TABLE targets;
