-- Every query of the command side: a name, a sentence, the SQL. Python builds none from pieces.
--
-- Plans are made once and kept, while the tables grow from nothing to millions of rows, and prm_user_pending is
-- nearly empty whenever it is analyzed. So no query of a batch leaves a join to the planner: each table is
-- reached by `id = ANY (...)`, or row by row (LATERAL). A join planned for ten rows took 80 ms for 500.

-- name: create_users
-- Writes a batch of users, normalized, with their CREATED events and their pending rows, in one transaction.
-- asyncpg sends Python's first and last moment, and only these two, as the infinities.
--
-- $5 is how long it may wait for another transaction that has inserted one of the keys (`lock_timeout`), null if there
-- are none. It is set only now, when all locks on tables are had: for those it waits as long as it takes.
WITH input AS MATERIALIZED (
    SELECT nextval('prm_user_id_seq') AS id, now() AS created_at, u.*,
           CASE WHEN place = 1 AND $5::text IS NOT NULL THEN set_config('lock_timeout', $5, true) END AS limited
    -- Beside new_user, not in it: instances of the version before go on while this one is migrated.
    FROM ROWS FROM (unnest($1::new_user[]), unnest($4::text[])) WITH ORDINALITY AS u (
        email, seed, event_data,
        gender, title, first_name, last_name,
        birth_at, birth_age, registered_at, registered_age,
        phone, cell, identity_name, identity_value, nationality,
        has_location, street_number, street_name, city, state, postcode,
        country_id, latitude, longitude, timezone_id,
        has_login, uuid, username,
        has_picture, large, medium, thumbnail,
        idempotency_key, fingerprint,
        traceparent, place
    )
), users AS (
    INSERT INTO prm_user
    SELECT id, email, seed, $2, 'CREATED', 1, created_at, gender, title, first_name, last_name,
           CASE birth_at WHEN '-infinity' THEN '0001-01-01 00:00:00Z'
                         WHEN 'infinity' THEN '9999-12-31 23:59:59.999999Z' ELSE birth_at END, birth_age,
           CASE registered_at WHEN '-infinity' THEN '0001-01-01 00:00:00Z'
                              WHEN 'infinity' THEN '9999-12-31 23:59:59.999999Z' ELSE registered_at END,
           registered_age, phone, cell,
           identity_name, identity_value, nationality, idempotency_key, fingerprint
    FROM input
), locations AS (
    INSERT INTO prm_user_location
    SELECT id, street_number, street_name, city, state, postcode,
           country_id, latitude, longitude, timezone_id
    FROM input WHERE has_location
), logins AS (
    INSERT INTO prm_user_login SELECT id, uuid, username FROM input WHERE has_login
), pictures AS (
    INSERT INTO prm_user_picture SELECT id, large, medium, thumbnail FROM input WHERE has_picture
), events AS (
    INSERT INTO prm_user_event (user_id, version, event_type, event_data, seed, app_id, created_at, traceparent)
    SELECT id, 1, 'CREATED', event_data::jsonb, seed, $2, created_at, traceparent FROM input
), pending AS (
    INSERT INTO prm_user_pending (user_id, version, incarnation, created_at)
    SELECT id, 1, $3, created_at FROM input
), counts AS (
    INSERT INTO prm_user_count AS c (seed, app_id, backend, total, first_created_at, last_created_at)
    SELECT seed, $2, pg_backend_pid(), count(*), min(created_at), max(created_at) FROM input GROUP BY seed
    ON CONFLICT (seed, app_id, backend) DO UPDATE SET
        total = c.total + excluded.total,
        first_created_at = least(c.first_created_at, excluded.first_created_at),
        last_created_at = greatest(c.last_created_at, excluded.last_created_at)
)
SELECT id, created_at FROM input ORDER BY place;

-- name: ids_left
-- Whether there is an id left to give.
SELECT coalesce(pg_sequence_last_value(seqrelid), 0) < seqmax AS some_left
FROM pg_sequence WHERE seqrelid = 'prm_user_id_seq'::regclass;

-- name: find_users_by_keys
-- The users that these keys have created, with what their commands were like.
SELECT idempotency_key, fingerprint, id, seed, app_id, created_at, email
FROM prm_user WHERE idempotency_key = ANY ($1::text[]);

-- name: find_held_keys
-- Those of these keys that a transaction has inserted which is still open; waits for none (004_histories.sql).
SELECT * FROM tandem_keys_held($1::text[]);

-- name: synchronize_users
-- Ends the flow of those users that are still pending at this version: status, event, statistics.
-- Deleting the pending row decides who does it, so that two instances cannot both. Answers how many users of
-- each lag it has ended, and whether another instance had created them.
--
-- It waits for rows that others have locked no longer than $4 (`lock_timeout`). Null: it leaves such users out, who
-- stay pending, and takes the time to lock the others first.
WITH chosen AS MATERIALIZED (
    SELECT CASE WHEN set_config('lock_timeout', coalesce($4::text, '1s'), true) <> '' AND $4 IS NOT NULL
           THEN $1::bigint[]
           ELSE ARRAY(
               SELECT p.user_id FROM prm_user_pending p JOIN prm_user u ON u.id = p.user_id
               WHERE p.user_id = ANY ($1) AND u.id = ANY ($1) FOR UPDATE OF p, u SKIP LOCKED
           ) END AS ids
), done AS (
    DELETE FROM prm_user_pending WHERE user_id = ANY ((SELECT ids FROM chosen)::bigint[]) AND version = $2
    RETURNING user_id
), users AS (
    UPDATE prm_user SET status = 'SYNCRONIZED' WHERE id = ANY (ARRAY(SELECT user_id FROM done))
    RETURNING id, seed, app_id, created_at
), events AS (
    INSERT INTO prm_user_event (user_id, version, event_type, seed, app_id, created_at)
    SELECT id, $2, 'SYNCRONIZED', seed, $3, now() FROM users
), ended AS MATERIALIZED (
    SELECT seed, app_id,
           ceil(ln(greatest(extract(epoch FROM now() - created_at)::float8 * 1000, 1)) / ln(1.1::float8))::smallint
               AS bucket,
           count(*) AS users
    FROM users GROUP BY 1, 2, 3
), lags AS (
    INSERT INTO prm_user_lag AS l (seed, app_id, backend, bucket, users)
    SELECT seed, app_id, pg_backend_pid(), bucket, users FROM ended
    ON CONFLICT (seed, app_id, backend, bucket) DO UPDATE SET users = l.users + excluded.users
), counts AS (
    INSERT INTO prm_user_count AS c (seed, app_id, backend, synchronized, taken_over)
    SELECT seed, app_id, pg_backend_pid(), sum(users), CASE WHEN app_id <> $3 THEN sum(users) ELSE 0 END
    FROM ended GROUP BY seed, app_id
    ON CONFLICT (seed, app_id, backend) DO UPDATE SET
        synchronized = c.synchronized + excluded.synchronized,
        taken_over = c.taken_over + excluded.taken_over
)
SELECT bucket, users, app_id <> $3 AS taken_over FROM ended;

-- name: find_user
-- One user as its rows, in one snapshot and as one JSON object; the names are those of views.UserRows. Rows
-- from before version 0.2 may have infinities for the first and the last moment that there are.
SELECT row_to_json(answer)
FROM (
    SELECT u.id, u.email, u.seed, u.app_id AS "appId", u.status, u.version, u.created_at AS "createdAt",
           u.gender, u.title, u.first_name AS "firstName", u.last_name AS "lastName",
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
               SELECT json_agg(e ORDER BY e.version, e.id) FROM (
                   SELECT id, version, event_type AS "eventType", event_data AS "eventData",
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

-- name: find_states
-- The stored states of these users, which are pending at a version; what is missing of one is null.
SELECT given.id, given.version AS pending_version, u.seed, u.app_id, u.version, u.created_at,
       state.event_data, state.traceparent
FROM unnest($1::bigint[], $2::integer[]) AS given (id, version)
LEFT JOIN LATERAL (SELECT * FROM prm_user WHERE id = given.id LIMIT 1) u ON true
LEFT JOIN LATERAL (
    SELECT event_data, traceparent FROM prm_user_event e
    WHERE e.user_id = given.id AND e.version = given.version AND e.event_type = 'CREATED' LIMIT 1
) state ON true
ORDER BY given.id;

-- name: last_user_id
-- The last id that was given, committed or not, and how many ids a session takes at a time.
SELECT coalesce(pg_sequence_last_value(seqrelid), 0) AS last_id, seqcache AS per_session
FROM pg_sequence WHERE seqrelid = 'prm_user_id_seq'::regclass;

-- name: takers_of_ids
-- Transactions that have taken ids and are still open: each holds this lock until it ends, prepared ones too.
SELECT virtualtransaction FROM pg_locks
WHERE locktype = 'relation' AND relation = 'prm_user_id_seq'::regclass AND mode = 'RowExclusiveLock'
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database());

-- name: lowest_pending
-- The lowest id of a pending user.
SELECT user_id FROM prm_user_pending ORDER BY user_id LIMIT 1;

-- name: set_aside_users
-- Takes users that MongoDB refused for good out of the flow, with its reasons.
WITH refused AS (
    SELECT * FROM unnest($1::bigint[], $2::integer[], $3::text[]) AS r (user_id, version, error)
), done AS (
    -- Who is locked stays pending: recovery brings it here once more.
    DELETE FROM prm_user_pending p USING refused r
    WHERE p.user_id = ANY (ARRAY(
              SELECT user_id FROM prm_user_pending WHERE user_id = ANY ($1) FOR UPDATE SKIP LOCKED
          )) AND p.user_id = r.user_id AND p.version = r.version
    RETURNING p.user_id, p.version, r.error
), letters AS (
    INSERT INTO prm_user_dead_letter (user_id, version, error, app_id, created_at)
    SELECT user_id, version, error, $4, now() FROM done
    ON CONFLICT (user_id) DO UPDATE SET
        version = excluded.version, error = excluded.error,
        app_id = excluded.app_id, created_at = excluded.created_at
)
INSERT INTO prm_user_count AS c (seed, app_id, backend, dead_letters)
SELECT u.seed, u.app_id, pg_backend_pid(), count(*)
FROM done JOIN prm_user u ON u.id = done.user_id
WHERE u.id = ANY ($1) GROUP BY u.seed, u.app_id
ON CONFLICT (seed, app_id, backend) DO UPDATE SET dead_letters = c.dead_letters + excluded.dead_letters;

-- name: list_dead_letters
-- Dead letters in order of their users' ids.
SELECT d.user_id, coalesce(u.seed, '') AS seed, d.version, d.error, d.app_id, d.created_at
FROM prm_user_dead_letter d LEFT JOIN prm_user u ON u.id = d.user_id
WHERE d.user_id > $1 ORDER BY d.user_id LIMIT $2;

-- name: find_dead_letter
-- One dead letter, with the state that was refused or could not be read; null where there is none.
SELECT d.user_id, coalesce(u.seed, '') AS seed, d.version, d.error, d.app_id, d.created_at, e.event_data AS state
FROM prm_user_dead_letter d
LEFT JOIN prm_user u ON u.id = d.user_id
LEFT JOIN prm_user_event e ON e.user_id = d.user_id AND e.version = d.version AND e.event_type <> 'SYNCRONIZED'
WHERE d.user_id = $1 LIMIT 1;

-- name: retry_dead_letters
-- Makes dead letters pending again: the one of this user, or at most 1,000 of them. They belong to no
-- incarnation, so any instance's recovery claims them. Those that another transaction has locked are left out.
WITH chosen AS (
    SELECT user_id FROM prm_user_dead_letter
    WHERE $1::bigint IS NULL OR user_id = $1 ORDER BY user_id LIMIT 1000 FOR UPDATE SKIP LOCKED
), removed AS (
    DELETE FROM prm_user_dead_letter d WHERE d.user_id = ANY (ARRAY(SELECT user_id FROM chosen))
    RETURNING d.user_id, d.version
), pending AS (
    INSERT INTO prm_user_pending (user_id, version, incarnation, created_at)
    SELECT user_id, version, 0, now() FROM removed ON CONFLICT DO NOTHING
), counts AS (
    INSERT INTO prm_user_count AS c (seed, app_id, backend, dead_letters)
    SELECT u.seed, u.app_id, pg_backend_pid(), -count(*)
    FROM removed r JOIN prm_user u ON u.id = r.user_id
    WHERE u.id = ANY (ARRAY(SELECT user_id FROM chosen)) GROUP BY u.seed, u.app_id
    ON CONFLICT (seed, app_id, backend) DO UPDATE SET dead_letters = c.dead_letters + excluded.dead_letters
)
SELECT count(*) AS retried FROM removed;

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
-- Notes that the database goes on in the history $1, and moves the id sequence $3 ids ahead of the highest that is
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

-- name: unknown_ids
-- Those of these ids that no user has.
SELECT id FROM unnest($1::bigint[]) AS given (id) WHERE NOT EXISTS (SELECT FROM prm_user u WHERE u.id = given.id)
ORDER BY id;
