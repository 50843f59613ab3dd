-- The queries about the schemas of all aggregates.

-- name: applied
-- What was applied of each aggregate.
SELECT aggregate, number, name, additive, checksum FROM tandem_aggregate_migration ORDER BY aggregate, number;
