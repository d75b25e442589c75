-- +goose Up
CREATE TABLE maintenance_windows (
    id TEXT NOT NULL PRIMARY KEY,
    -- Every target, if there is none.
    target_id TEXT REFERENCES targets (id) ON DELETE CASCADE,
    reason TEXT NOT NULL,
    starts_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX maintenance_windows_by_end ON maintenance_windows (ends_at);
CREATE INDEX maintenance_windows_by_target ON maintenance_windows (target_id);

-- +goose Down
DROP TABLE maintenance_windows;
