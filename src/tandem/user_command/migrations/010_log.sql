-- additive: yes
-- A log that grows: events by ranges of users' ids, each a partition, so that old ones can be moved away as a whole
-- (docs/decisions/0031-log.md). And the transaction that wrote an event, which says what may still come before it.
--
-- Steps before the last one are harmless twice: whoever is stopped in between runs `tandem migrate` again, soon, since no
-- id above the range can be given before the last step is done. It is 5 million ids away at least.

-- Events from before have 0. The default comes after the column: so no row is written again.
ALTER TABLE prm_user_event ADD COLUMN IF NOT EXISTS xid xid8 NOT NULL DEFAULT '0';
ALTER TABLE prm_user_event ALTER COLUMN xid SET DEFAULT pg_current_xact_id();

-- The log so far becomes the first partition. That nothing in it lies outside is looked at before, while others write.
DO $$
DECLARE
    given bigint := coalesce(pg_sequence_last_value('prm_user_id_seq'), 0);
BEGIN
    ALTER TABLE prm_user_event DROP CONSTRAINT IF EXISTS prm_user_event_range;
    EXECUTE format('ALTER TABLE prm_user_event ADD CONSTRAINT prm_user_event_range CHECK (user_id < %s) NOT VALID',
                   (given / 5000000 + CASE given WHEN 0 THEN 1 ELSE 2 END) * 5000000);
END $$;

-- step without a transaction
DROP INDEX CONCURRENTLY IF EXISTS prm_user_event_p0_xid_id_idx;
CREATE INDEX CONCURRENTLY prm_user_event_p0_xid_id_idx ON prm_user_event (xid, id);

-- step
ALTER TABLE prm_user_event VALIDATE CONSTRAINT prm_user_event_range;

-- step
-- Views, triggers and rights say the table by its number, not its name. So they are made again, as they were.
LOCK TABLE prm_user_event IN ACCESS EXCLUSIVE MODE;
DO $$
DECLARE
    old       regclass := 'prm_user_event'::regclass;
    next_id   bigint;
    range_end bigint;
    again     text[];
    statement text;
BEGIN
    SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence('prm_user_event', 'id')), 0) + 1 INTO next_id;
    SELECT substring(pg_get_constraintdef(oid) FROM '\d+')::bigint INTO range_end
    FROM pg_constraint WHERE conrelid = old AND conname = 'prm_user_event_range';
    SELECT array_agg(sql) INTO again FROM (
        SELECT DISTINCT format('CREATE OR REPLACE VIEW %s AS %s', v.oid::regclass, pg_get_viewdef(v.oid)) AS sql
        FROM pg_depend d
        JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
        JOIN pg_class v ON v.oid = r.ev_class
        WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = old AND v.relkind = 'v'
        UNION ALL
        SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = old AND NOT tgisinternal
        UNION ALL
        SELECT format('GRANT %s ON prm_user_event TO %s', privilege_type, coalesce(r.rolname::regrole::text, 'PUBLIC'))
        FROM pg_class c, aclexplode(c.relacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
        WHERE c.oid = old AND a.grantee <> c.relowner
        UNION ALL
        SELECT format('GRANT %s (%I) ON prm_user_event TO %s', privilege_type, attname,
                      coalesce(r.rolname::regrole::text, 'PUBLIC'))
        FROM pg_attribute c, aclexplode(c.attacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
        WHERE c.attrelid = old AND NOT c.attisdropped
    ) found;
    FOR statement IN
        SELECT format('DROP TRIGGER %I ON prm_user_event', tgname)
        FROM pg_trigger WHERE tgrelid = old AND NOT tgisinternal
    LOOP
        EXECUTE statement;
    END LOOP;

    ALTER TABLE prm_user_event ALTER COLUMN id DROP IDENTITY;
    ALTER TABLE prm_user_event RENAME CONSTRAINT prm_user_event_pkey TO prm_user_event_p0_pkey;
    ALTER TABLE prm_user_event RENAME TO prm_user_event_p0;
    -- No foreign key: it would be for readers only, and each new partition would have to stop all writers of prm_user.
    CREATE TABLE prm_user_event (LIKE prm_user_event_p0 INCLUDING DEFAULTS) PARTITION BY RANGE (user_id);
    EXECUTE format('ALTER TABLE prm_user_event ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (START %s)', next_id);
    ALTER TABLE prm_user_event ADD PRIMARY KEY (user_id, version, event_type);
    CREATE INDEX prm_user_event_xid_id_idx ON prm_user_event (xid, id);
    EXECUTE format('ALTER TABLE prm_user_event ATTACH PARTITION prm_user_event_p0 FOR VALUES FROM (MINVALUE) TO (%s)',
                   range_end);
    ALTER TABLE prm_user_event_p0 DROP CONSTRAINT prm_user_event_range;
    FOREACH statement IN ARRAY again LOOP
        EXECUTE statement;
    END LOOP;
END $$;

-- The partitions of the log, and whose events are in each: from the first id to the one before the end.
CREATE VIEW tandem_log_partition AS
SELECT c.relname::text AS name, coalesce(substring(bound FROM 'FROM \(''(\d+)')::bigint, 0) AS first_id,
       substring(bound FROM 'TO \(''(\d+)')::bigint AS end_id
FROM pg_inherits i
JOIN pg_class c ON c.oid = i.inhrelid
CROSS JOIN LATERAL pg_get_expr(c.relpartbound, c.oid) AS bound
WHERE i.inhparent = 'prm_user_event'::regclass;

-- Functions that run with the owner's rights look where the tables are, which need not be `public`, and last of all at
-- what a caller may have made for itself.
SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true);

-- Sees to the partition that the next ids belong to, those after the highest of this one and those given, and to the one
-- after it. Instances ask for it now and then, with no right to make tables themselves. Nobody waits for it: it only
-- keeps out others that change the table.
CREATE FUNCTION tandem_extend_log(highest_id bigint DEFAULT 0) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '2s' AS $$
DECLARE
    size  CONSTANT bigint := 5000000;
    given bigint := greatest(highest_id, pg_sequence_last_value('prm_user_id_seq'), 0);
    first bigint;
    name  text;
BEGIN
    FOREACH first IN ARRAY ARRAY[given / size * size, given / size * size + size] LOOP
        CONTINUE WHEN EXISTS (SELECT FROM tandem_log_partition p WHERE first >= p.first_id AND first < p.end_id);
        LOCK TABLE ONLY prm_user_event IN SHARE UPDATE EXCLUSIVE MODE;
        CONTINUE WHEN EXISTS (SELECT FROM tandem_log_partition p WHERE first >= p.first_id AND first < p.end_id);
        name := 'prm_user_event_p' || first;
        EXECUTE format('CREATE TABLE %I (LIKE prm_user_event INCLUDING DEFAULTS)', name);
        EXECUTE format('ALTER TABLE prm_user_event ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)',
                       name, first, first + size);
    END LOOP;
END $$;
REVOKE EXECUTE ON FUNCTION tandem_extend_log FROM PUBLIC;

-- Each history begins with ids far ahead (note_history). Programs of the version before know nothing of partitions.
CREATE FUNCTION tandem_extend_log_for_history() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM tandem_extend_log(NEW.first_id);
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION tandem_extend_log_for_history FROM PUBLIC;
CREATE TRIGGER tandem_extend_log AFTER INSERT ON tandem_history
    FOR EACH ROW EXECUTE FUNCTION tandem_extend_log_for_history();

-- Events that were moved into a file (`tandem events archive`): all of a partition that there were then.
CREATE TABLE tandem_event_archive (
    number      integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Whose events: users from the first id to the one before the end.
    first_id    bigint NOT NULL,
    end_id      bigint NOT NULL,
    file_name   text NOT NULL UNIQUE,
    users       bigint NOT NULL,
    events      bigint NOT NULL,
    -- Of all lines, the first 60 bits of each one's MD5, added up.
    checksum    numeric NOT NULL,
    highest_id  bigint NOT NULL,
    highest_xid xid8 NOT NULL,
    archived_at timestamptz NOT NULL DEFAULT now()
);

-- Empties a partition of what was there in a snapshot, in the transaction that says where that is now; answers how many
-- events came later, which stay. Those are found by their transactions: none of this server has a number above all others'
-- that it knows of, so what has one is from before a dump was restored here.
CREATE FUNCTION tandem_empty_partition(partition text, archived pg_snapshot) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    kept bigint;
BEGIN
    PERFORM FROM tandem_log_partition p WHERE p.name = partition;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the log has no partition %', partition;
    END IF;
    EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', partition);
    EXECUTE format(
        'CREATE TEMPORARY TABLE tandem_kept ON COMMIT DROP AS SELECT * FROM %I WHERE xid >= pg_snapshot_xmin(%L) '
        'AND xid < pg_snapshot_xmax(pg_current_snapshot()) AND NOT pg_visible_in_snapshot(xid, %L)',
        partition, archived, archived);
    EXECUTE format('TRUNCATE TABLE %I', partition);
    -- What follows from these events has followed already.
    EXECUTE format('ALTER TABLE %I DISABLE TRIGGER USER', partition);
    EXECUTE format('INSERT INTO %I OVERRIDING SYSTEM VALUE SELECT * FROM tandem_kept', partition);
    GET DIAGNOSTICS kept = ROW_COUNT;
    EXECUTE format('ALTER TABLE %I ENABLE TRIGGER USER', partition);
    RETURN kept;
END $$;

SELECT tandem_extend_log();
