-- Whether a subscription gives its plan at this moment. A payment that has failed may be made up for in a time of grace.
CREATE FUNCTION billing_entitles(status text, grace_ends_at timestamptz) RETURNS boolean LANGUAGE sql STABLE AS $$
	SELECT coalesce(status IN ('active', 'trialing') OR (status = 'past_due' AND grace_ends_at > now()), false)
$$;
--> statement-breakpoint
-- However somebody becomes a member, and however many at once: there are never more than the plan has seats. The lock lets
-- them go one after the other. Whoever adds a member is no tenant, so the account is looked for in the organization's name.
CREATE FUNCTION keep_to_seats() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	tenant text := current_setting('app.organization_id', true);
	allowed record;
BEGIN
	IF NOT EXISTS (SELECT FROM billing_plans) THEN
		RETURN NULL;
	END IF;
	PERFORM FROM organizations WHERE id = NEW.organization_id FOR NO KEY UPDATE;
	PERFORM set_config('app.organization_id', NEW.organization_id, true);
	SELECT p.title, CASE WHEN p.is_paid_by_seat THEN a.quantity ELSE p.seats END AS seats INTO allowed
	FROM billing_plans p
	LEFT JOIN billing_accounts a ON a.organization_id = NEW.organization_id
		AND a.plan = p.name AND billing_entitles(a.status, a.grace_ends_at)
	WHERE a.plan IS NOT NULL OR p.is_default
	ORDER BY a.plan IS NULL
	LIMIT 1;
	PERFORM set_config('app.organization_id', coalesce(tenant, ''), true);
	IF allowed.seats < (SELECT count(*) FROM members WHERE organization_id = NEW.organization_id) THEN
		RAISE EXCEPTION 'The plan % has no more than % seats', allowed.title, allowed.seats
			USING ERRCODE = 'check_violation', CONSTRAINT = 'no_seat_left';
	END IF;
	RETURN NULL;
END
$$;
--> statement-breakpoint
CREATE TRIGGER members_keep_to_seats AFTER INSERT OR UPDATE OF organization_id ON members
	FOR EACH ROW EXECUTE FUNCTION keep_to_seats();
--> statement-breakpoint
-- An organization that goes pays for nothing any more: in the transaction that deletes it, a job (jobs.ts) is told to end
-- what its customer has. The settings are for a queue that no worker has made yet.
CREATE FUNCTION end_billing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM enqueue_job(
		'billing.end', jsonb_build_object('customerId', OLD.customer_id), NULL,
		'{"policy": "standard", "retryLimit": 150, "retryDelay": 2, "retryBackoff": true, "retryDelayMax": 600,
			"expireInSeconds": 60, "deleteAfterSeconds": 86400, "retentionSeconds": 31536000, "heartbeatSeconds": 30,
			"deadLetter": "dead-letters", "notify": true}'
	);
	RETURN NULL;
END
$$;
--> statement-breakpoint
CREATE TRIGGER billing_accounts_end AFTER DELETE ON billing_accounts
	FOR EACH ROW WHEN (OLD.customer_id IS NOT NULL) EXECUTE FUNCTION end_billing();
