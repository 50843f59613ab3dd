-- The command side: users in third normal form, their event log, and what is still on its way to MongoDB.
--
-- Foreign keys are declared and NOT ENFORCED: they document the model and guide the planner's reader, while
-- checking them would cost every user 20 us of server CPU. All rows of a user are written by one statement
-- (queries.sql: create_users), so none can be missing. See docs/decisions/0005-postgresql-schema.md.

CREATE TYPE user_stage AS ENUM ('CREATED', 'UPDATED', 'DELETED', 'SYNCRONIZED');

CREATE TABLE prm_country (
    id   integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE
);

CREATE TABLE prm_timezone (
    id          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    utc_offset  text,
    description text,
    UNIQUE NULLS NOT DISTINCT (utc_offset, description)
);

-- The status is set once more soon after the insert. With half of each page kept free, and no index on what
-- changes, that update stays in its page (HOT) and touches no index.
CREATE TABLE prm_user (
    id             bigint PRIMARY KEY CHECK (id > 0 AND id < 9007199254740992),
    email          text NOT NULL,
    seed           text NOT NULL,
    app_id         text NOT NULL,
    status         user_stage NOT NULL,
    version        integer NOT NULL,
    created_at     timestamptz NOT NULL,
    gender         text,
    title          text,
    first_name     text,
    last_name      text,
    birth_at       timestamptz,
    birth_age      smallint,
    registered_at  timestamptz,
    registered_age smallint,
    phone          text,
    cell           text,
    identity_name  text,
    identity_value text,
    nationality    text,
    -- A command with an Idempotency-Key creates one user, however often it is sent.
    idempotency_key text,
    fingerprint     bytea
) WITH (fillfactor = 50);

-- Only users that have a key are in this index, so the others pay nothing for it.
CREATE UNIQUE INDEX prm_user_idempotency_key ON prm_user (idempotency_key) WHERE idempotency_key IS NOT NULL;

CREATE SEQUENCE prm_user_id_seq AS bigint MAXVALUE 9007199254740991 OWNED BY prm_user.id;

CREATE TABLE prm_user_location (
    user_id       bigint PRIMARY KEY REFERENCES prm_user NOT ENFORCED,
    street_number integer,
    street_name   text,
    city          text,
    state         text,
    postcode      text,
    country_id    integer REFERENCES prm_country NOT ENFORCED,
    latitude      text,
    longitude     text,
    timezone_id   integer REFERENCES prm_timezone NOT ENFORCED
);

CREATE TABLE prm_user_login (
    user_id  bigint PRIMARY KEY REFERENCES prm_user NOT ENFORCED,
    uuid     text,
    username text
);

CREATE TABLE prm_user_picture (
    user_id   bigint PRIMARY KEY REFERENCES prm_user NOT ENFORCED,
    large     text,
    medium    text,
    thumbnail text
);

-- The event log. Its key says what may never happen: that one version of a user passes one stage twice.
CREATE TABLE prm_user_event (
    id         bigint GENERATED ALWAYS AS IDENTITY,
    user_id    bigint NOT NULL REFERENCES prm_user NOT ENFORCED,
    version    integer NOT NULL,
    event_type user_stage NOT NULL,
    event_data jsonb,
    seed       text NOT NULL,
    app_id     text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, version, event_type)
);

-- One row a process. It lives as long as it renews its lease, by this server's clock.
CREATE TABLE tandem_instance (
    incarnation bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    app_id      text NOT NULL,
    started_at  timestamptz NOT NULL DEFAULT now(),
    lease_until timestamptz NOT NULL,
    waiting     integer NOT NULL DEFAULT 0,
    ready       boolean NOT NULL DEFAULT false
);

-- What is committed here and not yet acknowledged by MongoDB, and which incarnation has it in hand. Rows live
-- for milliseconds, so the table is vacuumed by count, not by a share of its size.
CREATE TABLE prm_user_pending (
    user_id     bigint PRIMARY KEY REFERENCES prm_user NOT ENFORCED,
    version     integer NOT NULL,
    incarnation bigint NOT NULL REFERENCES tandem_instance NOT ENFORCED,
    created_at  timestamptz NOT NULL
) WITH (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000,
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 20000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 1000000
);

-- Users that MongoDB refused for good, set aside with its reason so that the rest goes on.
CREATE TABLE prm_user_dead_letter (
    user_id    bigint PRIMARY KEY REFERENCES prm_user NOT ENFORCED,
    version    integer NOT NULL,
    error      text NOT NULL,
    app_id     text NOT NULL,
    created_at timestamptz NOT NULL
);

-- Statistics, kept exact in the very transactions that they count. A row belongs to one server process
-- (backend): no two transactions ever write the same row, so no commit waits for another's.
CREATE TABLE prm_user_count (
    seed             text NOT NULL,
    app_id           text NOT NULL,
    backend          integer NOT NULL,
    total            bigint NOT NULL DEFAULT 0,
    synchronized     bigint NOT NULL DEFAULT 0,
    taken_over       bigint NOT NULL DEFAULT 0,
    dead_letters     bigint NOT NULL DEFAULT 0,
    first_created_at timestamptz,
    last_created_at  timestamptz,
    PRIMARY KEY (seed, app_id, backend)
) WITH (fillfactor = 50);

-- How many users took how long from CREATED to SYNCRONIZED. Bucket b holds lags of (1.1^(b-1), 1.1^b] ms.
CREATE TABLE prm_user_lag (
    seed    text NOT NULL,
    app_id  text NOT NULL,
    backend integer NOT NULL,
    bucket  smallint NOT NULL,
    users   bigint NOT NULL,
    PRIMARY KEY (seed, app_id, backend, bucket)
) WITH (fillfactor = 50);

-- What create_users (queries.sql) is given of each user. One array of these costs an instance less than an
-- array for each column: asyncpg inspects every element of an array, but not the fields of a record.
CREATE TYPE new_user AS (
    email text, seed text, event_data text,
    gender text, title text, first_name text, last_name text,
    birth_at timestamptz, birth_age smallint, registered_at timestamptz, registered_age smallint,
    phone text, cell text, identity_name text, identity_value text, nationality text,
    has_location boolean, street_number integer, street_name text, city text, state text, postcode text,
    country_id integer, latitude text, longitude text, timezone_id integer,
    has_login boolean, uuid text, username text,
    has_picture boolean, large text, medium text, thumbnail text,
    idempotency_key text, fingerprint bytea
);
