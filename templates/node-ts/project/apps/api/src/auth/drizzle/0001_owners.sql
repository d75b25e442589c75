-- Whoever leaves, is removed, loses the role or deletes the account: one owner stays, as long as the
-- organization does. The lock makes two owners who go at once go one after the other.
CREATE FUNCTION keep_an_owner() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM 1 FROM organizations WHERE id = OLD.organization_id FOR NO KEY UPDATE;
	IF FOUND AND NOT EXISTS (
		SELECT 1 FROM members
		WHERE organization_id = OLD.organization_id AND 'owner' = ANY (string_to_array(role, ','))
	) THEN
		RAISE EXCEPTION 'organization % would have no owner', OLD.organization_id
			USING ERRCODE = 'check_violation', CONSTRAINT = 'members_keep_an_owner';
	END IF;
	RETURN NULL;
END
$$;
--> statement-breakpoint
CREATE TRIGGER members_keep_an_owner AFTER DELETE OR UPDATE OF role, organization_id ON members
	FOR EACH ROW WHEN ('owner' = ANY (string_to_array(OLD.role, ',')))
	EXECUTE FUNCTION keep_an_owner();
