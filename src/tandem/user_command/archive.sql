-- What moves old events into files, run by the owner of the tables (archive.py), and what finds them there.

-- name: candidates
-- Partitions of which all ids are given and that have events: how many (as the planner knows it), how old the newest one
-- is, and why nothing can be moved now.
SELECT p.name, p.first_id, p.end_id, greatest(c.reltuples, 0)::bigint AS events, pg_total_relation_size(c.oid) AS bytes,
       newest.created_at AS newest,
       CASE WHEN EXISTS (SELECT FROM prm_user_dead_letter WHERE user_id >= p.first_id AND user_id < p.end_id)
                 THEN 'it has dead letters: retry or resolve them first (`tandem dead-letters list`)'
            WHEN EXISTS (SELECT FROM tandem_reaction
                         WHERE kind = 'user' AND id >= p.first_id AND id < p.end_id)
                 THEN 'reactions to its events are still to be done'
            ELSE '' END AS obstacle
FROM tandem_log_partition p
JOIN pg_class c ON c.oid = to_regclass(quote_ident(p.name))
CROSS JOIN LATERAL (
    SELECT max(created_at) AS created_at FROM prm_user_event WHERE user_id >= p.first_id AND user_id < p.end_id
) newest
WHERE p.end_id <= pg_sequence_last_value('prm_user_id_seq') AND newest.created_at IS NOT NULL
ORDER BY p.first_id;

-- name: snapshot
-- What this transaction sees, as of which everything is moved, and whether some users of these ids are on their way.
SELECT pg_current_snapshot()::text AS snapshot,
       EXISTS (SELECT FROM prm_user_pending WHERE user_id >= $1 AND user_id < $2) AS is_pending;

-- name: lines
-- All events of users of these ids as JSON, in order of users.
SELECT user_id, row_to_json(e)::text AS line
FROM (
    SELECT user_id, id, version, event_type, format, event_data, seed, app_id, created_at, traceparent, xid
    FROM prm_user_event WHERE user_id >= $1 AND user_id < $2
) e
ORDER BY user_id, version, id;

-- name: sums
-- The same, added up. Transactions of an earlier era of the feed may have higher numbers: they do not count.
SELECT count(*) AS events, count(DISTINCT user_id) AS users, coalesce(max(id), 0) AS highest_id,
       coalesce((max(ARRAY[
           (SELECT count(*) FROM tandem_feed_era f WHERE f.kind = 'user' AND f.last_id < e.id), xid::text::bigint
       ]))[2], 0)::text AS highest_xid,
       coalesce(sum(('x' || left(md5(row_to_json(e)::text), 15))::bit(60)::bigint), 0) AS checksum
FROM (
    SELECT user_id, id, version, event_type, format, event_data, seed, app_id, created_at, traceparent, xid
    FROM prm_user_event WHERE user_id >= $1 AND user_id < $2
) e;

-- name: empty_partition
-- Removes from a partition what was there in a snapshot; answers how many events stay, which came later.
SELECT tandem_empty_partition($1::text, $2::text::pg_snapshot) AS kept;

-- name: add_archive
-- Remembers where events are now.
INSERT INTO tandem_event_archive (first_id, end_id, file_name, users, events, checksum, highest_id, highest_xid)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8::text::xid8);

-- name: archives
-- All archives, the oldest of each range first.
SELECT number, first_id, end_id, file_name, events, checksum FROM tandem_event_archive ORDER BY first_id, number;

-- name: archives_of
-- Those that may have events of this user, the oldest first.
SELECT file_name FROM tandem_event_archive WHERE $1::bigint >= first_id AND $1 < end_id ORDER BY number;

-- name: next_number
-- The number of the next archive. None is given twice, even where rows were removed: a file's name stands for its bytes.
SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence('tandem_event_archive', 'number')), 0) + 1 AS number;

-- name: erased
-- The users among these ids that were erased.
SELECT id FROM prm_user WHERE id >= $1 AND id < $2 AND status = 'ERASED' ORDER BY id;

-- name: replace_archive
-- Says that a file has taken the place of another one.
UPDATE tandem_event_archive SET file_name = $2, checksum = $3 WHERE number = $1;

-- name: lock_archives
-- Whether no other session moves events; keeps others out until this session ends.
SELECT pg_try_advisory_lock(hashtext('tandem events archive')) AS is_mine;
