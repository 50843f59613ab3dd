-- Every query of the command side: a name, a sentence, the SQL. Python builds none from pieces.
--
-- Plans are made once and kept, while the tables grow from nothing to millions of rows, and prm_user_pending is
-- nearly empty whenever it is analyzed. So no query of a batch leaves a join to the planner: each table is
-- reached by `id = ANY (...)`, or row by row (LATERAL). A join planned for ten rows took 80 ms for 500.

-- name: create_users
-- Writes a batch of users, normalized, with their CREATED events and their pending rows, in one transaction. All that
-- the rows say of a person is taken from the data of the event ($1), but for the ids of countries and time zones: to
-- send it again as 35 fields would cost the instance 3 us a user. An array of jsonb costs this server 3 us more than text.
--
-- $10 is how long it may wait for another transaction that has inserted one of the keys (`lock_timeout`), null if there
-- are none. It is set only now, when all locks on tables are had: for those it waits as long as it takes.
WITH input AS MATERIALIZED (
    SELECT nextval('prm_user_id_seq') AS id, now() AS created_at, data::jsonb AS state, country_id, timezone_id,
           seed, idempotency_key, fingerprint, traceparent, place,
           CASE WHEN place = 1 AND $10::text IS NOT NULL THEN set_config('lock_timeout', $10, true) END AS limited
    FROM unnest(
        $1::text[], $2::integer[], $3::integer[], $4::text[], $5::text[], $6::bytea[], $7::text[]
    ) WITH ORDINALITY AS u (data, country_id, timezone_id, seed, idempotency_key, fingerprint, traceparent, place)
), users AS (
    INSERT INTO prm_user (
        id, email, seed, app_id, status, version, created_at, gender, title, first_name, last_name,
        birth_at, birth_age, registered_at, registered_age,
        phone, cell, identity_name, identity_value, nationality, idempotency_key, fingerprint
    )
    SELECT id, state->>'email', seed, $8, 'CREATED', 1, created_at, state->>'gender',
           state->'name'->>'title', state->'name'->>'first', state->'name'->>'last',
           (state->'dob'->>'date')::timestamptz, (state->'dob'->>'age')::smallint,
           (state->'registered'->>'date')::timestamptz, (state->'registered'->>'age')::smallint,
           state->>'phone', state->>'cell', state->'id'->>'name', state->'id'->>'value', state->>'nat',
           idempotency_key, fingerprint
    FROM input
), locations AS (
    INSERT INTO prm_user_location (
        user_id, street_number, street_name, city, state, postcode, country_id, latitude, longitude, timezone_id
    )
    SELECT id, (home->'street'->>'number')::integer, home->'street'->>'name', home->>'city', home->>'state', home->>'postcode',
           country_id, home->'coordinates'->>'latitude', home->'coordinates'->>'longitude', timezone_id
    FROM input, LATERAL (SELECT state->'location' AS home) WHERE home IS NOT NULL
), logins AS (
    INSERT INTO prm_user_login (user_id, uuid, username)
    SELECT id, state->'login'->>'uuid', state->'login'->>'username' FROM input WHERE state ? 'login'
), pictures AS (
    INSERT INTO prm_user_picture (user_id, large, medium, thumbnail)
    SELECT id, state->'picture'->>'large', state->'picture'->>'medium', state->'picture'->>'thumbnail'
    FROM input WHERE state ? 'picture'
), events AS (
    INSERT INTO prm_user_event (
        user_id, version, event_type, event_data, seed, app_id, created_at, traceparent, format
    )
    SELECT id, 1, 'CREATED', state, seed, $8, created_at, traceparent, 2 FROM input
), keys AS (
    INSERT INTO prm_user_key (key, fingerprint, user_id, version)
    SELECT sha256(convert_to(idempotency_key, 'UTF8')), fingerprint, id, 1 FROM input
    WHERE idempotency_key IS NOT NULL
), pending AS (
    INSERT INTO prm_user_pending (user_id, version, incarnation, created_at)
    SELECT id, 1, $9, created_at FROM input
), counts AS (
    INSERT INTO prm_user_count AS c (seed, app_id, backend, total, first_created_at, last_created_at)
    SELECT seed, $8, pg_backend_pid(), count(*), min(created_at), max(created_at) FROM input GROUP BY seed
    ON CONFLICT (seed, app_id, backend) DO UPDATE SET
        total = c.total + excluded.total,
        first_created_at = least(c.first_created_at, excluded.first_created_at),
        last_created_at = greatest(c.last_created_at, excluded.last_created_at)
)
SELECT id, created_at FROM input ORDER BY place;

-- name: read_users
-- Users as they are now, each put together from its rows; what is missing of one is null.
SELECT given.id, u.seed, u.app_id, u.status::text AS status, u.version, u.created_at, u.updated_at, s.state,
       e.traceparent
FROM unnest($1::bigint[]) AS given (id)
LEFT JOIN LATERAL (SELECT * FROM prm_user WHERE id = given.id LIMIT 1) u ON true
LEFT JOIN LATERAL (
    SELECT state FROM prm_user_state WHERE id = given.id AND u.status NOT IN ('DELETED', 'ERASED') LIMIT 1
) s ON true
LEFT JOIN LATERAL (
    SELECT traceparent FROM prm_user_event
    WHERE user_id = given.id AND version = u.version AND event_type <> 'SYNCRONIZED' LIMIT 1
) e ON true;

-- name: read_rows
-- Users as they are now, in order of ids, with what is left to do of each: those of the ids $5, or (null) at most $3
-- with ids above $1 and up to $2. Of other runs than $4 nothing but ids, runs and versions is read.
SELECT u.id, u.seed, u.version, u.app_id, u.status::text AS status, u.created_at, u.updated_at, w.is_wanted, s.state,
       p.user_id IS NOT NULL AS is_pending, d.user_id IS NOT NULL AS is_dead_letter, NULL::text AS traceparent
FROM unnest(coalesce($5::bigint[], ARRAY(
         SELECT id FROM prm_user WHERE id > $1::bigint AND id <= $2::bigint ORDER BY id LIMIT $3::integer
     ))) WITH ORDINALITY AS given (id, place)
CROSS JOIN LATERAL (SELECT * FROM prm_user WHERE id = given.id LIMIT 1) u
CROSS JOIN LATERAL (SELECT $4::text IS NULL OR u.seed = $4 AS is_wanted) w
LEFT JOIN LATERAL (
    SELECT state FROM prm_user_state
    WHERE id = given.id AND w.is_wanted AND u.status NOT IN ('DELETED', 'ERASED') LIMIT 1
) s ON true
LEFT JOIN LATERAL (SELECT user_id FROM prm_user_pending WHERE user_id = given.id LIMIT 1) p ON true
LEFT JOIN LATERAL (SELECT user_id FROM prm_user_dead_letter WHERE user_id = given.id LIMIT 1) d ON true
ORDER BY given.place;

-- name: change_users
-- Writes later versions of users ($1 to $7), with the events that lead to them ($10 to $14) and the keys of the commands
-- ($15 to $18), in one transaction. A user that has another version than the one that was read ($3), or that another
-- transaction has locked, is left out. Answers the ids of the others.
--
-- Of the location, the login and the picture in a state ($1), null removes what is there, absence leaves it as it is.
--
-- The pending rows are locked before the users, as whoever records SYNCRONIZED does, and nobody is waited for. Only
-- for a key of another open transaction: at most $19.
WITH input AS MATERIALIZED (
    SELECT * FROM unnest(
        $1::jsonb[], $2::bigint[], $3::integer[], $4::integer[], $5::text[], $6::integer[], $7::integer[]
    ) AS u (state, id, read_version, version, stage, country_id, timezone_id)
), were_pending AS MATERIALIZED (
    SELECT user_id FROM prm_user_pending WHERE user_id = ANY ($2) ORDER BY user_id FOR UPDATE SKIP LOCKED
), held AS MATERIALIZED (
    SELECT user_id FROM prm_user_pending WHERE user_id = ANY ($2)
    EXCEPT SELECT user_id FROM were_pending
), locked AS MATERIALIZED (
    SELECT id FROM prm_user WHERE id = ANY ($2) AND id NOT IN (SELECT user_id FROM held)
    ORDER BY id FOR UPDATE SKIP LOCKED
), users AS (
    UPDATE prm_user u SET
        email = i.state->>'email', gender = i.state->>'gender', title = i.state->'name'->>'title',
        first_name = i.state->'name'->>'first', last_name = i.state->'name'->>'last',
        birth_at = (i.state->'dob'->>'date')::timestamptz, birth_age = (i.state->'dob'->>'age')::smallint,
        registered_at = (i.state->'registered'->>'date')::timestamptz,
        registered_age = (i.state->'registered'->>'age')::smallint,
        phone = i.state->>'phone', cell = i.state->>'cell', identity_name = i.state->'id'->>'name',
        identity_value = i.state->'id'->>'value', nationality = i.state->>'nat',
        status = i.stage::user_stage, version = i.version, updated_at = now(),
        idempotency_key = CASE WHEN i.stage <> 'ERASED' THEN u.idempotency_key END,
        fingerprint = CASE WHEN i.stage <> 'ERASED' THEN u.fingerprint END
    FROM input i
    WHERE u.id = i.id AND u.version = i.read_version AND u.id = ANY (ARRAY(SELECT id FROM locked))
    RETURNING u.id, u.seed, u.app_id, u.status, old.status AS status_before
), written AS MATERIALIZED (
    SELECT i.* FROM input i WHERE i.id = ANY (ARRAY(SELECT id FROM users))
), erased AS MATERIALIZED (
    SELECT ARRAY(SELECT id FROM written WHERE stage = 'ERASED') AS ids
), locations AS (
    INSERT INTO prm_user_location AS l (
        user_id, street_number, street_name, city, state, postcode, country_id, latitude, longitude, timezone_id
    )
    SELECT id, (home->'street'->>'number')::integer, home->'street'->>'name', home->>'city', home->>'state', home->>'postcode',
           country_id, home->'coordinates'->>'latitude', home->'coordinates'->>'longitude', timezone_id
    FROM written, LATERAL (SELECT state->'location' AS home) WHERE home <> 'null'
    ON CONFLICT (user_id) DO UPDATE SET
        street_number = excluded.street_number, street_name = excluded.street_name, city = excluded.city,
        state = excluded.state, postcode = excluded.postcode, country_id = excluded.country_id,
        latitude = excluded.latitude, longitude = excluded.longitude, timezone_id = excluded.timezone_id
), no_locations AS (
    DELETE FROM prm_user_location WHERE user_id = ANY (ARRAY(SELECT id FROM written WHERE state->'location' = 'null'))
), logins AS (
    INSERT INTO prm_user_login AS l (user_id, uuid, username)
    SELECT id, state->'login'->>'uuid', state->'login'->>'username' FROM written WHERE state->'login' <> 'null'
    ON CONFLICT (user_id) DO UPDATE SET uuid = excluded.uuid, username = excluded.username
), no_logins AS (
    DELETE FROM prm_user_login WHERE user_id = ANY (ARRAY(SELECT id FROM written WHERE state->'login' = 'null'))
), pictures AS (
    INSERT INTO prm_user_picture AS p (user_id, large, medium, thumbnail)
    SELECT id, state->'picture'->>'large', state->'picture'->>'medium', state->'picture'->>'thumbnail'
    FROM written WHERE state->'picture' <> 'null'
    ON CONFLICT (user_id) DO UPDATE SET
        large = excluded.large, medium = excluded.medium, thumbnail = excluded.thumbnail
), no_pictures AS (
    DELETE FROM prm_user_picture WHERE user_id = ANY (ARRAY(SELECT id FROM written WHERE state->'picture' = 'null'))
), events AS (
    INSERT INTO prm_user_event (
        user_id, version, event_type, event_data, seed, app_id, created_at, traceparent, format
    )
    SELECT e.user_id, e.version, e.event_type::user_stage, e.event_data::jsonb, u.seed, $8, now(), e.traceparent, 2
    FROM unnest($10::bigint[], $11::integer[], $12::text[], $13::text[], $14::text[])
         AS e (user_id, version, event_type, event_data, traceparent)
    JOIN users u ON u.id = e.user_id
    RETURNING user_id, event_type
), keys AS (
    INSERT INTO prm_user_key (key, fingerprint, user_id, version)
    SELECT sha256(convert_to(k.key, 'UTF8')), k.fingerprint, k.user_id, k.version
    FROM (SELECT set_config('lock_timeout', $19::text, true) WHERE $19 IS NOT NULL) limited,
         unnest($15::text[], $16::bytea[], $17::bigint[], $18::integer[]) AS k (key, fingerprint, user_id, version)
    -- A command that has changed nothing has a key, too, and its user need not be among those written.
    WHERE k.user_id = ANY (ARRAY(SELECT id FROM users)) OR k.user_id <> ALL ($2)
), pending AS (
    INSERT INTO prm_user_pending (user_id, version, incarnation, created_at)
    SELECT id, version, $9, now() FROM written
    ON CONFLICT (user_id) DO UPDATE SET
        version = excluded.version, incarnation = excluded.incarnation, created_at = excluded.created_at
), letters AS (
    DELETE FROM prm_user_dead_letter WHERE user_id = ANY (ARRAY(SELECT id FROM users)) RETURNING user_id
), forgotten_events AS (
    UPDATE prm_user_event SET event_data = NULL, traceparent = NULL
    WHERE user_id = ANY ((SELECT ids FROM erased)::bigint[])
), kept_keys AS (
    -- That of the version before: without it, a repeated command would create the person anew.
    INSERT INTO prm_user_key (key, user_id, version)
    SELECT sha256(convert_to(idempotency_key, 'UTF8')), id, 1 FROM prm_user
    WHERE id = ANY ((SELECT ids FROM erased)::bigint[]) AND idempotency_key IS NOT NULL
    ON CONFLICT DO NOTHING
), forgotten_keys AS (
    UPDATE prm_user_key SET fingerprint = NULL WHERE user_id = ANY ((SELECT ids FROM erased)::bigint[])
), counts AS (
    INSERT INTO prm_user_count AS c (seed, app_id, backend, synchronized, dead_letters, updated, deleted)
    SELECT u.seed, u.app_id, pg_backend_pid(),
           -count(*) FILTER (WHERE u.id NOT IN (SELECT user_id FROM were_pending)
                               AND u.id NOT IN (SELECT user_id FROM letters)),
           -count(*) FILTER (WHERE u.id IN (SELECT user_id FROM letters)),
           coalesce(sum(e.updates), 0),
           count(*) FILTER (WHERE u.status IN ('DELETED', 'ERASED') AND u.status_before NOT IN ('DELETED', 'ERASED'))
    FROM users u
    LEFT JOIN (SELECT user_id, count(*) AS updates FROM events WHERE event_type = 'UPDATED' GROUP BY 1) e
      ON e.user_id = u.id
    GROUP BY u.seed, u.app_id
    ON CONFLICT (seed, app_id, backend) DO UPDATE SET
        synchronized = c.synchronized + excluded.synchronized,
        dead_letters = c.dead_letters + excluded.dead_letters,
        updated = c.updated + excluded.updated, deleted = c.deleted + excluded.deleted
)
SELECT id, now() AS updated_at FROM users;

-- name: ids_left
-- Whether there is an id left to give.
SELECT coalesce(pg_sequence_last_value(seqrelid), seqstart - seqincrement) <= seqmax - seqincrement AS some_left
FROM pg_sequence WHERE seqrelid = 'prm_user_id_seq'::regclass;

-- name: find_users_by_keys
-- What commands with these keys have led to: the version of a user, with the events up to it; or which other cell has
-- claimed a key (delivery.sql, claim_keys).
SELECT given.key, coalesce(k.fingerprint, old.fingerprint) AS fingerprint, coalesce(k.version, 1) AS version,
       CASE WHEN u.id IS NULL THEN claim.cell END AS claimed_by, u.id, u.seed, u.app_id, u.status::text AS status, u.version AS last_version, u.created_at, u.email,
       e.events
FROM unnest($1::text[]) AS given (key)
LEFT JOIN LATERAL (
    SELECT * FROM prm_user_key WHERE key = sha256(convert_to(given.key, 'UTF8')) AND user_id >= 0 LIMIT 1
) k ON true
LEFT JOIN LATERAL (
    SELECT -1 - user_id AS cell FROM prm_user_key
    WHERE key = sha256(convert_to(given.key, 'UTF8')) AND user_id < 0 LIMIT 1
) claim ON true
-- Programs of the version before keep it with the user.
LEFT JOIN LATERAL (
    SELECT id, fingerprint FROM prm_user WHERE k.key IS NULL AND idempotency_key = given.key LIMIT 1
) old ON true
LEFT JOIN LATERAL (SELECT * FROM prm_user WHERE id = coalesce(k.user_id, old.id) LIMIT 1) u ON true
CROSS JOIN LATERAL (
    SELECT json_agg(json_build_object(
               'version', version, 'event_type', event_type, 'format', format, 'event_data', event_data::text,
               'seed', seed, 'app_id', app_id, 'created_at', created_at) ORDER BY version) AS events
    FROM prm_user_event
    WHERE user_id = u.id AND version <= coalesce(k.version, 1) AND event_type <> 'SYNCRONIZED'
) e
WHERE u.id IS NOT NULL OR claim.cell IS NOT NULL;

-- name: find_held_keys
-- Those of these keys that a transaction has inserted which is still open; waits for none (004 and 007).
SELECT * FROM tandem_user_keys_held($1::text[]) UNION SELECT * FROM tandem_keys_held($1::text[]);

-- name: find_user
-- One user as its rows, in one snapshot and as one JSON object; the names are those of views.UserRows. Rows
-- from before version 0.2 may have infinities for the first and the last moment that there are.
SELECT row_to_json(answer)
FROM (
    SELECT u.id, u.email, u.seed, u.app_id AS "appId", u.status, u.version, u.created_at AS "createdAt",
           u.updated_at AS "updatedAt", u.gender, u.title, u.first_name AS "firstName", u.last_name AS "lastName",
           CASE u.birth_at WHEN '-infinity' THEN '0001-01-01 00:00:00Z'
                           WHEN 'infinity' THEN '9999-12-31 23:59:59.999999Z' ELSE u.birth_at END AS "birthAt",
           u.birth_age AS "birthAge",
           CASE u.registered_at WHEN '-infinity' THEN '0001-01-01 00:00:00Z'
                                WHEN 'infinity' THEN '9999-12-31 23:59:59.999999Z' ELSE u.registered_at END
               AS "registeredAt",
           u.registered_age AS "registeredAge", u.phone, u.cell,
           u.identity_name AS "identityName", u.identity_value AS "identityValue", u.nationality,
           (
               SELECT row_to_json(l) FROM (
                   SELECT street_number AS "streetNumber", street_name AS "streetName", city, state, postcode,
                          latitude, longitude,
                          (SELECT row_to_json(c) FROM prm_country c WHERE c.id = country_id) AS country,
                          (
                              SELECT json_build_object('id', t.id, 'utcOffset', t.utc_offset,
                                                       'description', t.description)
                              FROM prm_timezone t WHERE t.id = timezone_id
                          ) AS timezone
                   FROM prm_user_location WHERE user_id = u.id
               ) l
           ) AS location,
           (
               SELECT json_build_object('uuid', uuid, 'username', username)
               FROM prm_user_login WHERE user_id = u.id
           ) AS login,
           (
               SELECT json_build_object('large', large, 'medium', medium, 'thumbnail', thumbnail)
               FROM prm_user_picture WHERE user_id = u.id
           ) AS picture,
           (
               SELECT coalesce(json_agg(e ORDER BY e.version, e.id), '[]') FROM (
                   SELECT id, version, event_type AS "eventType", event_data AS "eventData", format,
                          seed, app_id AS "appId", created_at AS "createdAt"
                   FROM prm_user_event WHERE user_id = u.id
               ) e
           ) AS events
    FROM prm_user u WHERE u.id = $1
) answer;

-- name: add_countries
-- Adds the countries that are not there yet, but for those that an open transaction has added (004_histories.sql).
SELECT tandem_add_countries($1::text[]);

-- name: find_countries
-- The ids of these countries.
SELECT id, name FROM prm_country WHERE name = ANY ($1::text[]);

-- name: add_timezones
-- Adds the time zones that are not there yet, but for those that an open transaction has added.
SELECT tandem_add_timezones($1::text[], $2::text[]);

-- name: find_timezones
-- The ids of these time zones; each part may be null.
SELECT t.id, t.utc_offset, t.description
FROM unnest($1::text[], $2::text[]) AS given (utc_offset, description)
JOIN prm_timezone t ON t.utc_offset IS NOT DISTINCT FROM given.utc_offset
                   AND t.description IS NOT DISTINCT FROM given.description;

-- name: find_events
-- All events of a user, in order.
SELECT version, event_type::text AS event_type, format, event_data::text AS event_data, seed, app_id, created_at
FROM prm_user_event WHERE user_id = $1 ORDER BY version, id;

-- name: has_table
-- Whether there is a table of this name.
SELECT to_regclass($1::text) IS NOT NULL AS has;

-- name: read_events
-- At most 2,000 events of the whole log, in order, after the one of this user, version and stage.
SELECT user_id, version, event_type::text AS event_type, format, event_data::text AS event_data,
       seed, app_id, created_at
FROM prm_user_event WHERE (user_id, version, event_type) > ($1::bigint, $2::integer, $3::user_stage)
ORDER BY user_id, version, event_type LIMIT 2000;

-- name: rows_of_user
-- Every table that can have rows of a user, with this one's rows as JSON; null where it has none.
SELECT name, row::text AS fields FROM (VALUES (1)) one CROSS JOIN LATERAL (
    SELECT 'prm_user' AS name, (SELECT to_json(u) FROM prm_user u WHERE id = $1::bigint) AS row
    UNION ALL SELECT 'prm_user_location', (SELECT to_json(l) FROM prm_user_location l WHERE user_id = $1)
    UNION ALL SELECT 'prm_user_login', (SELECT to_json(l) FROM prm_user_login l WHERE user_id = $1)
    UNION ALL SELECT 'prm_user_picture', (SELECT to_json(p) FROM prm_user_picture p WHERE user_id = $1)
    UNION ALL SELECT 'prm_user_pending', (SELECT to_json(p) FROM prm_user_pending p WHERE user_id = $1)
    UNION ALL SELECT 'prm_user_dead_letter', (SELECT to_json(d) FROM prm_user_dead_letter d WHERE user_id = $1)
    UNION ALL SELECT 'prm_user_event', NULL
    UNION ALL SELECT 'prm_user_event', to_json(e) FROM prm_user_event e WHERE user_id = $1
    UNION ALL SELECT 'prm_user_key', NULL
    -- The key of the erasure itself comes with a hash of nothing but "delete user 7".
    UNION ALL SELECT 'prm_user_key', json_build_object(
                         'key', k.key, 'fingerprint', CASE WHEN u.status <> 'ERASED' OR k.version < u.version
                                                      THEN k.fingerprint END)
              FROM prm_user_key k JOIN prm_user u ON u.id = k.user_id WHERE k.user_id = $1
) found;

-- name: last_user_id
-- The last id that was given, committed or not, and how many ids a session takes at a time. One that has given none since
-- it became a cell's tells as if it had given the one before: all ids from before are below that.
SELECT coalesce(pg_sequence_last_value(seqrelid), seqstart - seqincrement) AS last_id, seqcache AS per_session
FROM pg_sequence WHERE seqrelid = 'prm_user_id_seq'::regclass;

-- name: takers_of_ids
-- Transactions that have taken ids and are still open: each holds this lock until it ends, prepared ones too.
SELECT virtualtransaction FROM pg_locks
WHERE locktype = 'relation' AND relation = 'prm_user_id_seq'::regclass AND mode = 'RowExclusiveLock'
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database());

-- name: lowest_pending
-- The lowest id of a user that MongoDB does not have in any version. An update of one that is there holds back nobody.
-- Whoever has events in an archive was there before.
SELECT user_id FROM prm_user_pending p
WHERE version = 1
   OR NOT EXISTS (SELECT FROM prm_user_event e WHERE e.user_id = p.user_id AND e.event_type = 'SYNCRONIZED')
  AND NOT EXISTS (SELECT FROM tandem_event_archive a WHERE p.user_id >= a.first_id AND p.user_id < a.end_id)
ORDER BY user_id LIMIT 1;

-- name: extend_log
-- Sees to it that the log has a partition for the ids that come next (010_log.sql).
SELECT tandem_extend_log();

-- name: cell_of_database
-- The cell that the ids of this database name, by steps of $1 from $2 on; null: they name none.
SELECT CASE WHEN seqincrement = $1::bigint AND seqstart >= $2::bigint
            THEN coalesce(pg_sequence_last_value(seqrelid), seqstart) % $1 END AS cell
FROM pg_sequence WHERE seqrelid = 'prm_user_id_seq'::regclass;

-- name: applied_migrations
-- The migrations that this database has seen.
SELECT number, name, additive, checksum FROM tandem_migration ORDER BY number;

-- name: look_at_server
-- Whether this session may write, which history it belongs to, and since when its server has been running.
SELECT (pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean) AS read_only,
       CASE WHEN NOT pg_is_in_recovery() THEN
           (SELECT system_identifier FROM pg_control_system())
           || '/' || ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::integer
           || '/' || 'prm_user_id_seq'::regclass::oid
       END AS history,
       pg_postmaster_start_time() AS started_at;

-- name: note_history
-- Notes that the database goes on in the history $1, and moves the id sequence $3 steps ahead of the highest id that is
-- known here or in MongoDB ($2): if the last history was another one, or if an id is known that the sequence has not
-- given. The first history of all moves nothing by itself. Of two instances that do this at once one finds the
-- number taken, waits for the other to be done, and does nothing.
WITH known AS (
    SELECT coalesce(pg_sequence_last_value('prm_user_id_seq'), start_value - increment) AS given, increment,
           coalesce((SELECT max(id) FROM prm_user), 0) AS stored
    FROM pg_sequence_parameters('prm_user_id_seq'::regclass)
), now AS (
    SELECT number, given, increment, stored, greatest(given, stored, $2::bigint) AS highest,
           history NOT IN ('', $1::text) OR greatest(stored, $2) > given AS goes_back, history = '' AS is_first
    FROM known, (SELECT number, history FROM tandem_history ORDER BY number DESC LIMIT 1) last
), noted AS (
    INSERT INTO tandem_history (number, history, highest_id, first_id)
    SELECT CASE WHEN goes_back THEN greatest(number + 1, 2) ELSE 1 END, $1, stored,
           -- In whole steps of the sequence, so that its ids keep their remainder.
           given + increment * CASE WHEN goes_back
                               THEN (highest - given + increment - 1) / increment + $3::bigint ELSE 1 END
    FROM now WHERE goes_back OR is_first
    ON CONFLICT (number) DO NOTHING
    RETURNING number, history, first_id
)
SELECT number, history, first_id,
       -- As if the id before had been given: a sequence that has given none does not tell where it stands.
       CASE WHEN number > 1 THEN setval('prm_user_id_seq', first_id - increment) END AS last_id
FROM noted, known;

-- name: histories
-- The histories that this database went through, the latest last.
SELECT number, history, highest_id, first_id, noted_at FROM tandem_history ORDER BY number;
