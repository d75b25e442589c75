-- A job remembers where in which trace it was enqueued, where its settings say so.
CREATE OR REPLACE FUNCTION enqueue_job(job_name text, payload jsonb, run_at timestamptz, settings jsonb) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	job_id uuid := gen_random_uuid();
	due timestamptz := greatest(coalesce(run_at, now()), now());
	organization_id text := nullif(current_setting('app.organization_id', true), '');
	trace jsonb := CASE WHEN settings ? 'trace' THEN jsonb_build_object('trace', settings->'trace') ELSE '{}' END;
BEGIN
	-- The first job of a name brings its queue along: no worker has to be there before.
	IF NOT EXISTS (SELECT FROM queue.queue WHERE name = job_name) THEN
		PERFORM queue.create_queue(job_name, settings);
	END IF;
	INSERT INTO queue.job (
		id, name, data, start_after, keep_until, policy, dead_letter, retry_limit, retry_delay, retry_backoff,
		retry_delay_max, expire_seconds, deletion_seconds, heartbeat_seconds, group_id
	)
	SELECT
		job_id, q.name, jsonb_build_object('organizationId', organization_id, 'payload', payload) || trace, due,
		due + q.retention_seconds * interval '1 second', q.policy, q.dead_letter, q.retry_limit, q.retry_delay,
		q.retry_backoff, q.retry_delay_max, q.expire_seconds, q.deletion_seconds, q.heartbeat_seconds, settings->>'group'
	FROM queue.queue q WHERE q.name = job_name;
	IF due <= now() THEN
		-- The channel on which pg-boss listens; PostgreSQL sends it with the commit.
		PERFORM pg_notify('pgboss_' || left(encode(sha224('queue'::bytea), 'hex'), 24), job_name);
	END IF;
	RETURN job_id;
END
$$;
