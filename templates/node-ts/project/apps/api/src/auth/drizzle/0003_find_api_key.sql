-- The key that a secret belongs to, with its organization and with whom the secret was shown to, if they still belong to
-- it. The organization is not known yet, so it has the rights of the caller's and sees the one row that the policy
-- api_keys_by_secret opens: in one statement, since it names the hash itself.
CREATE FUNCTION find_api_key(secret_hash text)
RETURNS TABLE (id uuid, organization_id text, slug text, scopes text[], user_id text, role text, last_used_at timestamptz)
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('app.api_key_hash', secret_hash, true);
	RETURN QUERY
	SELECT k.id, o.id, o.slug, k.scopes, m.user_id, m.role, k.last_used_at::timestamptz
	FROM api_keys k
	JOIN organizations o ON o.id = k.organization_id
	JOIN members m ON m.organization_id = k.organization_id
		AND m.user_id = CASE WHEN k.hash = secret_hash THEN k.made_by ELSE k.previous_made_by END
	WHERE (k.hash = secret_hash OR k.previous_hash = secret_hash)
		AND CASE WHEN k.hash = secret_hash THEN coalesce(k.expires_at > now(), true) ELSE k.previous_until > now() END;
	PERFORM set_config('app.api_key_hash', '', true);
END
$$;
