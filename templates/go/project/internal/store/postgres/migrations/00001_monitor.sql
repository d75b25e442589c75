-- +goose Up
CREATE TABLE targets (
    id UUID NOT NULL PRIMARY KEY,
    name TEXT NOT NULL COLLATE "C" UNIQUE,
    url TEXT NOT NULL,
    interval_ms BIGINT NOT NULL,
    timeout_ms BIGINT NOT NULL,
    expected_status BIGINT NOT NULL,
    failure_threshold BIGINT NOT NULL,
    webhook_url TEXT NOT NULL,
    enabled BOOLEAN NOT NULL,
    state TEXT NOT NULL,
    failures BIGINT NOT NULL,
    next_check_at TIMESTAMPTZ NOT NULL,
    version BIGINT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX targets_due ON targets (next_check_at) WHERE enabled;

CREATE TABLE results (
    id UUID NOT NULL PRIMARY KEY,
    target_id UUID NOT NULL REFERENCES targets (id) ON DELETE CASCADE,
    checked_at TIMESTAMPTZ NOT NULL,
    healthy BOOLEAN NOT NULL,
    status_code BIGINT NOT NULL,
    latency_us BIGINT NOT NULL,
    failure TEXT NOT NULL
);
CREATE INDEX results_by_target ON results (target_id, id DESC);
CREATE INDEX results_by_time ON results (checked_at);

-- An outbox: an alert is written together with the result that caused it.
CREATE TABLE alerts (
    id UUID NOT NULL PRIMARY KEY,
    target_id UUID NOT NULL REFERENCES targets (id) ON DELETE CASCADE,
    webhook_url TEXT NOT NULL,
    payload TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    next_attempt_at TIMESTAMPTZ,
    delivered_at TIMESTAMPTZ,
    last_error TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX alerts_due ON alerts (next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX alerts_by_target ON alerts (target_id);

-- +goose Down
DROP TABLE alerts;
DROP TABLE results;
DROP TABLE targets;
