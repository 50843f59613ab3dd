-- additive: yes
-- Which history of this database ids are given in, and what may be held by a transaction that is still open.

-- A standby that is promoted and a backup that is restored go on from an earlier state: ids that were given in what
-- is lost would be given again. So each history begins with ids far above (user_command/history.py). Histories that
-- this database went through, the first one without a name: it was not known before the first instance came.
CREATE TABLE tandem_history (
    number     integer PRIMARY KEY,
    -- The cluster's system identifier, its timeline, and the sequence's object id.
    history    text NOT NULL,
    -- The highest id that PostgreSQL had when the history was noted, and the first id after it. None between the two
    -- is ever given: who has one in MongoDB was lost by PostgreSQL.
    highest_id bigint NOT NULL,
    first_id   bigint NOT NULL,
    noted_at   timestamptz NOT NULL DEFAULT now()
);
INSERT INTO tandem_history VALUES (0, '', 0, 1);

-- Which of these idempotency keys another transaction, still open, has inserted. It waits for none of them: each is
-- inserted for a trial with a time limit of a millisecond, and that is undone at once.
CREATE FUNCTION tandem_keys_held(keys text[]) RETURNS SETOF text
LANGUAGE plpgsql SET lock_timeout = '1ms' AS $$
DECLARE
    key text;
BEGIN
    FOREACH key IN ARRAY keys LOOP
        BEGIN
            INSERT INTO prm_user (id, email, seed, app_id, status, version, created_at, idempotency_key)
            VALUES (nextval('prm_user_id_seq'), '', '', '', 'CREATED', 0, now(), key);
            RAISE EXCEPTION USING ERRCODE = 'TD001';
        EXCEPTION
            WHEN SQLSTATE 'TD001' OR unique_violation THEN NULL;
            WHEN lock_not_available THEN RETURN NEXT key;
        END;
    END LOOP;
END $$;

-- Adds countries. One that another transaction, still open, has added is waited for no longer than the limit.
CREATE FUNCTION tandem_add_countries(names text[]) RETURNS void
LANGUAGE plpgsql SET lock_timeout = '50ms' AS $$
DECLARE
    new_name text;
BEGIN
    FOREACH new_name IN ARRAY names LOOP
        BEGIN
            INSERT INTO prm_country (name) VALUES (new_name) ON CONFLICT DO NOTHING;
        EXCEPTION WHEN lock_not_available THEN NULL;
        END;
    END LOOP;
END $$;

-- The same for time zones.
CREATE FUNCTION tandem_add_timezones(offsets text[], descriptions text[]) RETURNS void
LANGUAGE plpgsql SET lock_timeout = '50ms' AS $$
BEGIN
    FOR place IN 1 .. cardinality(offsets) LOOP
        BEGIN
            INSERT INTO prm_timezone (utc_offset, description) VALUES (offsets[place], descriptions[place])
            ON CONFLICT DO NOTHING;
        EXCEPTION WHEN lock_not_available THEN NULL;
        END;
    END LOOP;
END $$;
