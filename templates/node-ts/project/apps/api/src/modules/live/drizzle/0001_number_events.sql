-- Gives an event its number when its transaction commits. The counter's row is locked from there to the end of the
-- commit: who numbers next waits for it, so numbers become visible in their order and none is missing, however long
-- the transactions before took. Those that listen are told where to look, since a message has 8,000 bytes at most.
CREATE FUNCTION number_live_event() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	next bigint;
BEGIN
	INSERT INTO live_sequences AS counter (organization_id, last) VALUES (NEW.organization_id, 1)
	ON CONFLICT (organization_id) DO UPDATE SET last = counter.last + 1
	RETURNING last INTO next;
	UPDATE live_events SET sequence = next, at = clock_timestamp() WHERE id = NEW.id;
	PERFORM pg_notify('live_events', next || ' ' || NEW.organization_id);
	RETURN NULL;
END
$$;
--> statement-breakpoint
CREATE CONSTRAINT TRIGGER live_events_numbered AFTER INSERT ON live_events
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION number_live_event();
