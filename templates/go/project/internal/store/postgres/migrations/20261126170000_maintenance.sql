-- +goose Up
CREATE TABLE maintenance_windows (
    id UUID NOT NULL PRIMARY KEY,
    -- Every target, if there is none.
    target_id UUID REFERENCES targets (id) ON DELETE CASCADE,
    reason TEXT NOT NULL,
    starts_at TIMESTAMPTZ NOT NULL,
    ends_at TIMESTAMPTZ NOT NULL,
    version BIGINT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX maintenance_windows_by_end ON maintenance_windows (ends_at);
CREATE INDEX maintenance_windows_by_target ON maintenance_windows (target_id);

-- +goose Down
DROP TABLE maintenance_windows;
