-- The next probe is due an interval after this one was, give or take a twentieth; what was missed is not made up for. A target
-- due later than that can have been scheduled only before the clock went back.
-- name: ClaimDueTargets :many
UPDATE targets SET next_check_at =
    CASE WHEN targets.next_check_at > sqlc.arg(now) - targets.interval_ms * 1000 AND targets.next_check_at <= sqlc.arg(now)
        THEN targets.next_check_at ELSE sqlc.arg(now) END
    + targets.interval_ms * 950 + abs(random() % (targets.interval_ms * 100))
WHERE id IN (
    SELECT due.id FROM targets AS due
    WHERE due.enabled AND (due.next_check_at <= sqlc.arg(now) OR due.next_check_at > sqlc.arg(now) + due.interval_ms * 1100)
    ORDER BY due.next_check_at LIMIT sqlc.arg(count)
)
RETURNING id;

-- name: ClaimDueAlerts :many
UPDATE alerts SET next_attempt_at = sqlc.arg(lease_until), attempts = attempts + 1
WHERE id IN (
    SELECT due.id FROM alerts AS due
    WHERE due.next_attempt_at <= sqlc.arg(now) ORDER BY due.next_attempt_at LIMIT sqlc.arg(count)
)
RETURNING id;
