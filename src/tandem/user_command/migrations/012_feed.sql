-- additive: yes
-- Eras of the feed (src/tandem/feed): transaction ids belong to one server, and go back after a failover or a restore.

-- How far each log went when a new history was noted: nothing is written in a history before it is noted. An event with
-- a higher id belongs to the new era, or to one after it. Until the first such change all events are of era 1.
CREATE TABLE tandem_feed_era (
    -- That of tandem_history.
    number    integer NOT NULL,
    kind      text NOT NULL,
    -- The log's last event of the eras before: its id, and the highest transaction id there.
    last_id   bigint NOT NULL,
    last_xid  xid8 NOT NULL,
    -- No event of the new era has a lower one.
    first_xid xid8 NOT NULL,
    PRIMARY KEY (number, kind)
);

-- Functions that run with the owner's rights look where the tables are, which need not be `public`, and last of all at
-- what a caller may have made for itself.
SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true);

-- A trigger, so that programs of the version before begin eras as well. It reads sequences, which the service role may
-- not. Where the history is the same as before (it was noted again since MongoDB has higher ids), other sessions may be
-- in the middle of writing: that begins no era.
CREATE FUNCTION tandem_begin_era() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    log record;
BEGIN
    IF (SELECT history FROM tandem_history WHERE number < NEW.number ORDER BY number DESC LIMIT 1)
       IN ('', NEW.history) THEN
        RETURN NULL;
    END IF;
    FOR log IN
        SELECT c.oid::regclass AS name, substring(c.relname FROM '^prm_(.*)_event$') AS kind,
               pg_get_serial_sequence(c.oid::regclass::text, 'id') AS ids
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'xid'
        WHERE c.relnamespace = quote_ident(current_schema())::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
          AND c.relname ~ '^prm_.*_event$'
    LOOP
        EXECUTE format(
            'INSERT INTO tandem_feed_era
             SELECT $1, $2, CASE WHEN is_called THEN last_value ELSE last_value - 1 END,
                    coalesce((SELECT xid FROM %s ORDER BY xid DESC, id DESC LIMIT 1), ''0''), pg_current_xact_id()
             FROM %s',
            log.name, log.ids
        ) USING NEW.number, log.kind;
    END LOOP;
    RETURN NULL;
END $$;

REVOKE EXECUTE ON FUNCTION tandem_begin_era FROM PUBLIC;
CREATE TRIGGER tandem_history_era AFTER INSERT ON tandem_history
FOR EACH ROW WHEN (NEW.number > 1) EXECUTE FUNCTION tandem_begin_era();
