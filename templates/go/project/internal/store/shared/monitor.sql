-- name: InsertTarget :exec
INSERT INTO targets (
    id, name, url, interval_ms, timeout_ms, expected_status, failure_threshold, webhook_url,
    enabled, state, failures, next_check_at, version, created_at, updated_at,
    method, expected_header, expected_body, recovery_threshold
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19);

-- name: GetTarget :one
SELECT * FROM targets WHERE id = $1;

-- name: GetTargetByName :one
SELECT * FROM targets WHERE name = $1;

-- name: ListTargets :many
SELECT * FROM targets WHERE id > sqlc.arg(after) ORDER BY id LIMIT CAST(sqlc.arg(count) AS bigint);

-- name: UpdateTarget :execrows
UPDATE targets SET
    name = sqlc.arg(name), url = sqlc.arg(url), interval_ms = sqlc.arg(interval_ms),
    timeout_ms = sqlc.arg(timeout_ms), expected_status = sqlc.arg(expected_status),
    failure_threshold = sqlc.arg(failure_threshold), webhook_url = sqlc.arg(webhook_url),
    method = sqlc.arg(method), expected_header = sqlc.arg(expected_header), expected_body = sqlc.arg(expected_body),
    recovery_threshold = sqlc.arg(recovery_threshold), enabled = sqlc.arg(enabled), next_check_at = sqlc.arg(next_check_at),
    webhook_gone_at = NULL, version = version + 1, updated_at = sqlc.arg(updated_at)
WHERE id = sqlc.arg(id) AND version = sqlc.arg(version);

-- name: DeleteTarget :execrows
DELETE FROM targets WHERE id = $1;

-- name: SetTargetState :execrows
UPDATE targets SET
    state = sqlc.arg(state), failures = sqlc.arg(failures), failed_at = sqlc.arg(failed_at),
    successes = sqlc.arg(successes), succeeded_at = sqlc.arg(succeeded_at), certificate_warned = sqlc.arg(certificate_warned)
WHERE id = sqlc.arg(id);

-- name: EndWebhook :execrows
UPDATE targets SET webhook_gone_at = sqlc.arg(webhook_gone_at)
WHERE id = sqlc.arg(id) AND webhook_url = sqlc.arg(webhook_url);

-- name: InsertResult :exec
INSERT INTO results (id, target_id, checked_at, healthy, status_code, latency_us, failure, certificate_expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: ListResults :many
SELECT * FROM results
WHERE target_id = sqlc.arg(target_id) AND id < sqlc.arg(before)
ORDER BY id DESC LIMIT CAST(sqlc.arg(count) AS bigint);

-- name: PruneResults :execrows
DELETE FROM results WHERE id IN (
    SELECT old.id FROM results AS old WHERE old.checked_at < sqlc.arg(before) ORDER BY old.checked_at
    LIMIT CAST(sqlc.arg(count) AS bigint)
);

-- name: InsertAlert :exec
INSERT INTO alerts (id, target_id, webhook_url, payload, attempts, next_attempt_at, delivered_at, last_error, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9);

-- name: GetAlert :one
SELECT * FROM alerts WHERE id = $1;

-- name: ListAlerts :many
SELECT * FROM alerts WHERE target_id = sqlc.arg(target_id) ORDER BY id DESC LIMIT CAST(sqlc.arg(count) AS bigint);

-- name: PostponeAlert :exec
UPDATE alerts SET next_attempt_at = sqlc.arg(until), attempts = attempts - 1 WHERE id = sqlc.arg(id);

-- name: SettleAlert :exec
UPDATE alerts SET
    next_attempt_at = sqlc.arg(next_attempt_at), delivered_at = sqlc.arg(delivered_at), last_error = sqlc.arg(last_error)
WHERE id = sqlc.arg(id);
