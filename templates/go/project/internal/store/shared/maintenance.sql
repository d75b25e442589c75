-- name: InsertWindow :exec
INSERT INTO maintenance_windows (id, target_id, reason, starts_at, ends_at, version, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: GetWindow :one
SELECT * FROM maintenance_windows WHERE id = $1;

-- name: ListWindows :many
SELECT * FROM maintenance_windows WHERE id > sqlc.arg(after) ORDER BY id LIMIT CAST(sqlc.arg(count) AS bigint);

-- name: UpdateWindow :execrows
UPDATE maintenance_windows SET
    target_id = sqlc.arg(target_id), reason = sqlc.arg(reason), starts_at = sqlc.arg(starts_at), ends_at = sqlc.arg(ends_at),
    version = version + 1, updated_at = sqlc.arg(updated_at)
WHERE id = sqlc.arg(id) AND version = sqlc.arg(version);

-- name: DeleteWindow :execrows
DELETE FROM maintenance_windows WHERE id = $1;

-- name: PruneWindows :exec
DELETE FROM maintenance_windows WHERE ends_at < sqlc.arg(before) AND updated_at < sqlc.arg(before);

-- name: CountWindows :one
SELECT count(*) FROM maintenance_windows
WHERE (target_id = sqlc.arg(target_id) OR target_id IS NULL) AND starts_at <= sqlc.arg(until) AND ends_at > sqlc.arg(since);
