-- Whatever writes or deletes a file's row, the table of leftovers knows what is to become of the bytes: they are due two
-- hours after an upload began, unless it came to its end, and at once when the row of a file goes, also with its
-- organization. Tenants may not touch that table, so the function has its owner's rights; nobody can call a trigger.
CREATE FUNCTION note_file_leftovers() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF TG_OP = 'INSERT' THEN
		INSERT INTO public.file_leftovers (file_id, tenant, due_at)
		VALUES (NEW.id, NEW.organization_id, now() + interval '2 hours');
	ELSIF TG_OP = 'UPDATE' THEN
		DELETE FROM public.file_leftovers WHERE file_id = NEW.id;
	ELSE
		-- That of an upload is there already: its bytes may still be coming.
		INSERT INTO public.file_leftovers (file_id, tenant, due_at)
		VALUES (OLD.id, OLD.organization_id, now())
		ON CONFLICT (file_id) DO NOTHING;
	END IF;
	RETURN NULL;
END
$$;
--> statement-breakpoint
CREATE TRIGGER files_leave_no_bytes AFTER INSERT OR DELETE OR UPDATE OF stored_at ON files
	FOR EACH ROW EXECUTE FUNCTION note_file_leftovers();
