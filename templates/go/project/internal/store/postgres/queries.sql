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

-- name: ClaimDueAlerts :many
UPDATE alerts SET next_attempt_at = sqlc.arg(lease_until), attempts = attempts + 1
WHERE id IN (
    SELECT due.id FROM alerts AS due
    WHERE due.next_attempt_at <= sqlc.arg(now) ORDER BY due.next_attempt_at LIMIT sqlc.arg(count)::bigint
    FOR UPDATE SKIP LOCKED
)
RETURNING *;

-- name: LockTarget :one
SELECT * FROM targets WHERE id = $1 FOR UPDATE;
