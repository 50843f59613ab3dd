-- additive: yes
-- Reactions of aggregates to events, users' among them: what has to follow from an event, as a stored fact from its
-- commit on. A trigger on the log writes the row, so that no program can leave it out, not even one of the version before.
CREATE TABLE tandem_reaction (
    -- The reaction's name, and the event that it follows from.
    reaction    text NOT NULL,
    kind        text NOT NULL,
    id          bigint NOT NULL,
    version     integer NOT NULL,
    event_type  text NOT NULL,
    -- The life of an instance that has it in hand; 0: none.
    incarnation bigint NOT NULL DEFAULT 0,
    claimed_at  timestamptz,
    created_at  timestamptz NOT NULL DEFAULT now(),
    -- How often it failed, why last, and until when it is left alone.
    failures    integer NOT NULL DEFAULT 0,
    error       text,
    not_before  timestamptz,
    -- No two kinds share an id.
    PRIMARY KEY (id, version, reaction, event_type)
) WITH (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000,
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 20000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 1000000
);

-- Called for an event of a user; the argument names the reaction.
CREATE FUNCTION tandem_user_react() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tandem_reaction (reaction, kind, id, version, event_type)
    VALUES (TG_ARGV[0], 'user', NEW.user_id, NEW.version, NEW.event_type);
    RETURN NULL;
END $$;

-- The migrations of aggregates, beside those of users in tandem_migration.
CREATE TABLE tandem_aggregate_migration (
    aggregate  text NOT NULL,
    number     integer NOT NULL,
    name       text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    additive   boolean NOT NULL,
    checksum   text NOT NULL,
    PRIMARY KEY (aggregate, number)
);

-- What the statement that writes aggregates (aggregates/aggregate.sql, record) is given of each draft, event and key: arrays
-- of these cost an instance less than an array for each column.
CREATE TYPE tandem_draft_v1 AS (
    id bigint, read_version integer, version integer, seed text, stage text, gone boolean
);
CREATE TYPE tandem_draft_event_v1 AS (
    place integer, version integer, event_type text, event_data text, traceparent text, cause text
);
CREATE TYPE tandem_draft_key_v1 AS (key text, fingerprint bytea, place integer, version integer);
