-- additive: yes
-- What every aggregate has, beside the tables of its own. {kind} is its name. The tables of users are the model, and
-- user_command/migrations says why each is as it is.

-- Which there are, and at which version. Ids come from one sequence for all kinds, so that what guards the ids of users
-- after a failover guards these as well.
CREATE TABLE prm_{kind} (
    id         bigint PRIMARY KEY,
    seed       text NOT NULL,
    app_id     text NOT NULL,
    -- The name of the last event; SYNCRONIZED once MongoDB has it; DELETED for good.
    status     text NOT NULL,
    version    integer NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz
);

CREATE TABLE prm_{kind}_event (
    id          bigint GENERATED ALWAYS AS IDENTITY,
    {kind}_id   bigint NOT NULL REFERENCES prm_{kind} NOT ENFORCED,
    version     integer NOT NULL,
    event_type  text NOT NULL,
    event_data  jsonb,
    seed        text NOT NULL,
    app_id      text NOT NULL,
    created_at  timestamptz NOT NULL,
    traceparent text,
    -- The reaction that has led to it; null: a client's command.
    cause       text,
    format      smallint NOT NULL DEFAULT 1,
    PRIMARY KEY ({kind}_id, version, event_type)
);

CREATE TABLE prm_{kind}_pending (
    {kind}_id   bigint PRIMARY KEY REFERENCES prm_{kind} NOT ENFORCED,
    version     integer NOT NULL,
    incarnation bigint NOT NULL,
    created_at  timestamptz NOT NULL
) WITH (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000,
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 20000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 1000000
);

CREATE TABLE prm_{kind}_dead_letter (
    {kind}_id  bigint PRIMARY KEY REFERENCES prm_{kind} NOT ENFORCED,
    version    integer NOT NULL,
    error      text NOT NULL,
    app_id     text NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE TABLE prm_{kind}_key (
    key         bytea PRIMARY KEY,
    fingerprint bytea,
    {kind}_id   bigint NOT NULL REFERENCES prm_{kind} NOT ENFORCED,
    version     integer NOT NULL,
    -- Why the command was rejected, for good: only those of reactions are kept so. Id and version are 0 then.
    rejection   text
);

-- The same columns as those of users, so that one text of each query serves all kinds.
CREATE TABLE prm_{kind}_count (LIKE prm_user_count INCLUDING ALL) WITH (fillfactor = 50);

CREATE TABLE prm_{kind}_lag (LIKE prm_user_lag INCLUDING ALL) WITH (fillfactor = 50);

CREATE TABLE prm_{kind}_run_sample (LIKE prm_run_sample INCLUDING ALL);

-- Which of these keys another transaction, still open, has inserted; waits for none.
CREATE FUNCTION tandem_{kind}_keys_held(keys text[]) RETURNS SETOF text
LANGUAGE plpgsql SET lock_timeout = '1ms' AS $$
DECLARE
    given text;
BEGIN
    FOREACH given IN ARRAY keys LOOP
        BEGIN
            INSERT INTO prm_{kind}_key (key, {kind}_id, version) VALUES (sha256(convert_to(given, 'UTF8')), 0, 0);
            RAISE EXCEPTION USING ERRCODE = 'TD001';
        EXCEPTION
            WHEN SQLSTATE 'TD001' OR unique_violation THEN NULL;
            WHEN lock_not_available THEN RETURN NEXT given;
        END;
    END LOOP;
END $$;

-- Called for the events of a statement. The first argument names the reaction, the second the events that it follows,
-- by commas. The life of an instance that has committed them (aggregate.sql, record) has the reactions in hand.
CREATE FUNCTION tandem_{kind}_react() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tandem_reaction (reaction, kind, id, version, event_type, incarnation, claimed_at)
    SELECT TG_ARGV[0], '{kind}', {kind}_id, version, event_type,
           coalesce(nullif(current_setting('tandem.incarnation', true), ''), '0')::bigint, now()
    FROM written WHERE event_type = ANY (string_to_array(TG_ARGV[1], ','));
    RETURN NULL;
END $$;

-- For a lab: events in order, exact counts of each run and instance, what is on its way, and how each one is.
CREATE VIEW lab_{kind}_event AS
SELECT {kind}_id AS id, seed, version, event_type, format, event_data, app_id, cause, created_at FROM prm_{kind}_event;

CREATE VIEW lab_{kind}_run AS
SELECT seed, app_id, sum(total)::bigint AS total, sum(synchronized)::bigint AS synchronized,
       sum(dead_letters)::bigint AS dead_letters
FROM prm_{kind}_count GROUP BY seed, app_id;

CREATE VIEW lab_{kind}_pending AS
SELECT p.{kind}_id AS id, a.seed, i.app_id AS held_by
FROM prm_{kind}_pending p
JOIN prm_{kind} a ON a.id = p.{kind}_id
LEFT JOIN tandem_instance i ON i.incarnation = p.incarnation;

CREATE VIEW lab_{kind}_row AS
SELECT a.id, a.seed, a.version, a.status, p.{kind}_id IS NOT NULL AS pending, d.{kind}_id IS NOT NULL AS dead
FROM prm_{kind} a
LEFT JOIN prm_{kind}_pending p ON p.{kind}_id = a.id
LEFT JOIN prm_{kind}_dead_letter d ON d.{kind}_id = a.id;

-- Reactions to its events, and its own to those of others, that are still to be done.
CREATE VIEW lab_{kind}_reaction AS
SELECT r.reaction, r.kind, r.id, r.version, r.error, i.app_id AS held_by
FROM tandem_reaction r
LEFT JOIN tandem_instance i ON i.incarnation = r.incarnation
WHERE r.kind = '{kind}' OR starts_with(r.reaction, '{kind}/');
