-- The queries of a rebuild about one kind's rows. {kind} is its name, as in tables.

-- name: count_rows
-- How many rows there are above an id ($1), counted no further than 100 million.
SELECT count(*) AS rows FROM (SELECT FROM prm_{kind} WHERE id > $1 LIMIT 100000000) counted;

-- name: lags
-- How many had which lag, since there are rows.
SELECT bucket, sum(users)::bigint AS users FROM prm_{kind}_lag GROUP BY bucket;

-- name: oldest_pending
-- How old the oldest pending work is, in seconds. Of more than 10,000, some are looked at.
SELECT coalesce(extract(epoch FROM now() - min(created_at))::float8, 0) AS seconds
FROM (SELECT created_at FROM prm_{kind}_pending LIMIT 10000) counted;
