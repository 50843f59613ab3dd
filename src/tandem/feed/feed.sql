-- The queries of the feed. {kind} is the kind of a log. Transaction ids come and go as bigint: they stay below 2^63.

-- name: feed_state
-- The era of now, the transaction below which none is open any more, and the kinds of installed aggregates.
SELECT coalesce((SELECT max(number) FROM tandem_feed_era), 1) AS era,
       pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS open_from,
       ARRAY(SELECT DISTINCT substr(aggregate, 8) FROM tandem_aggregate_migration
             WHERE starts_with(aggregate, 'tandem/')) AS kinds;

-- name: eras
-- How eras begin, from $1 on.
SELECT number, kind, last_id, last_xid::text::bigint AS last_xid, first_xid::text::bigint AS first_xid
FROM tandem_feed_era WHERE number >= $1 ORDER BY number;

-- name: page
-- Of the log's events after (transaction $1, id $2) and below transaction $3, $4 are looked at. Answered are those, at
-- most $9, whose ids are above $5 and not above $6 (the era's), of seed $7 and types $8 (null: any); no more than about a
-- megabyte. The last one that was looked at is answered, too: `matches` is false if it is none of these.
WITH scanned AS MATERIALIZED (
    SELECT {kind}_id, version, event_type::text AS event_type, format, event_data, seed, app_id, created_at, xid, id,
           id > $5 AND id <= $6 AND ($7::text IS NULL OR seed = $7)
               AND ($8::text[] IS NULL OR event_type::text = ANY ($8)) AS matches,
           row_number() OVER (ORDER BY xid, id) AS place
    FROM prm_{kind}_event
    WHERE (xid, id) > ($1::bigint::text::xid8, $2::bigint) AND xid < $3::bigint::text::xid8
    ORDER BY xid, id LIMIT $4
), chosen AS MATERIALIZED (
    SELECT *, CASE WHEN matches THEN event_data::text END AS data FROM scanned
    WHERE matches OR place = (SELECT count(*) FROM scanned) ORDER BY place LIMIT $9
)
SELECT xid::text::bigint AS xid, id, matches, place = (SELECT count(*) FROM scanned) AND place < $4 AS is_last,
       {kind}_id AS of, version, event_type, format, data, seed, app_id, created_at
FROM (
    SELECT *, sum(coalesce(octet_length(data), 0)) OVER (ORDER BY place ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
              - coalesce(octet_length(data), 0) AS bytes_before
    FROM chosen
) weighed
WHERE bytes_before < 1000000 ORDER BY place;

-- name: archived
-- The last place in the feed of each archive of users' events.
SELECT number,
       coalesce((SELECT max(e.number) FROM tandem_feed_era e WHERE e.kind = 'user' AND e.last_id < a.highest_id), 1) AS era,
       highest_xid::text::bigint AS xid, highest_id AS id, file_name
FROM tandem_event_archive a ORDER BY number;

-- name: has
-- Whether the log has this event.
SELECT EXISTS (
    SELECT FROM prm_{kind}_event WHERE xid = $1::bigint::text::xid8 AND id = $2
) AS has;

-- name: head
-- The last event below this transaction. Without `e.` the order would be that of the answer's bigint, which no index has.
SELECT e.xid::text::bigint AS xid, e.id FROM prm_{kind}_event e WHERE e.xid < $1::bigint::text::xid8
ORDER BY e.xid DESC, e.id DESC LIMIT 1;

-- name: held_back
-- How old the oldest event is, in seconds, that is committed and not shown: from transaction $1 on, of ids above $2.
-- Rows of a restored dump may have higher transactions; they come after those of now.
SELECT extract(epoch FROM now() - created_at)::float8 AS seconds
FROM (
    SELECT created_at, id FROM prm_{kind}_event WHERE xid >= $1::bigint::text::xid8 ORDER BY xid, id LIMIT 100
) first
WHERE id > $2 LIMIT 1;
