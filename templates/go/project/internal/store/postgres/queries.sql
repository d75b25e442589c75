-- name: InsertTarget :exec
INSERT INTO targets (
    id, name, url, interval_ms, timeout_ms, expected_status, failure_threshold, webhook_url,
    enabled, state, failures, next_check_at, version, created_at, updated_at
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15);

-- name: GetTarget :one
SELECT * FROM targets WHERE id = $1;

-- name: ListTargets :many
SELECT * FROM targets WHERE id > sqlc.arg(after) ORDER BY id LIMIT sqlc.arg(count)::bigint;

-- name: UpdateTarget :execrows
UPDATE targets SET
    name = sqlc.arg(name), url = sqlc.arg(url), interval_ms = sqlc.arg(interval_ms),
    timeout_ms = sqlc.arg(timeout_ms), expected_status = sqlc.arg(expected_status),
    failure_threshold = sqlc.arg(failure_threshold), webhook_url = sqlc.arg(webhook_url),
    enabled = sqlc.arg(enabled), next_check_at = sqlc.arg(next_check_at),
    webhook_gone_at = NULL, version = version + 1, updated_at = sqlc.arg(updated_at)
WHERE id = sqlc.arg(id) AND version = sqlc.arg(version);

-- name: DeleteTarget :execrows
DELETE FROM targets WHERE id = $1;

-- The next probe is due an interval after this one was, give or take a twentieth; what was missed is not made up for. A target
-- due later than that can have been scheduled only before the clock went back.
-- name: ClaimDueTargets :many
UPDATE targets SET next_check_at =
    CASE WHEN targets.next_check_at > sqlc.arg(now)::timestamptz - targets.interval_ms * INTERVAL '1 millisecond' AND targets.next_check_at <= sqlc.arg(now)::timestamptz
        THEN targets.next_check_at ELSE sqlc.arg(now)::timestamptz END
    + targets.interval_ms * (0.95 + random() * 0.1) * INTERVAL '1 millisecond'
WHERE id IN (
    SELECT due.id FROM targets AS due
    WHERE due.enabled AND (due.next_check_at <= sqlc.arg(now)::timestamptz OR due.next_check_at > sqlc.arg(now)::timestamptz + due.interval_ms * INTERVAL '1.1 milliseconds')
    ORDER BY due.next_check_at LIMIT sqlc.arg(count)::bigint
    FOR UPDATE SKIP LOCKED
)
RETURNING *;

-- name: SetTargetState :execrows
UPDATE targets SET
    state = sqlc.arg(state), failures = sqlc.arg(failures), failed_at = sqlc.arg(failed_at),
    certificate_warned = sqlc.arg(certificate_warned)
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
ORDER BY id DESC LIMIT sqlc.arg(count)::bigint;

-- name: PruneResults :execrows
DELETE FROM results WHERE id IN (
    SELECT old.id FROM results AS old WHERE old.checked_at < sqlc.arg(before) ORDER BY old.checked_at LIMIT sqlc.arg(count)::bigint
);

-- name: InsertAlert :exec
INSERT INTO alerts (id, target_id, webhook_url, payload, attempts, next_attempt_at, delivered_at, last_error, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9);

-- name: ListAlerts :many
SELECT * FROM alerts WHERE target_id = sqlc.arg(target_id) ORDER BY id DESC LIMIT sqlc.arg(count)::bigint;

-- name: ClaimDueAlerts :many
UPDATE alerts SET next_attempt_at = sqlc.arg(lease_until), attempts = attempts + 1
WHERE id IN (
    SELECT due.id FROM alerts AS due
    WHERE due.next_attempt_at <= sqlc.arg(now) ORDER BY due.next_attempt_at LIMIT sqlc.arg(count)::bigint
    FOR UPDATE SKIP LOCKED
)
RETURNING *;

-- name: PostponeAlert :exec
UPDATE alerts SET next_attempt_at = sqlc.arg(until), attempts = attempts - 1 WHERE id = sqlc.arg(id);

-- name: SettleAlert :exec
UPDATE alerts SET
    next_attempt_at = sqlc.arg(next_attempt_at), delivered_at = sqlc.arg(delivered_at), last_error = sqlc.arg(last_error)
WHERE id = sqlc.arg(id);

-- name: LockTarget :one
SELECT * FROM targets WHERE id = $1 FOR UPDATE;

-- name: GetTargetByName :one
SELECT * FROM targets WHERE name = $1;
