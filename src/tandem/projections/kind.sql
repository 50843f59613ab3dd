-- The queries of a rebuild about one kind's rows. {kind} is its name, as in tables.

-- name: lags
-- How many had which lag, since there are rows.
SELECT bucket, sum(users)::bigint AS users FROM prm_{kind}_lag GROUP BY bucket;
