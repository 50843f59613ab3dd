-- additive: yes
-- The transaction that wrote an event, as users' events have it. Events from before have 0, and no row is written again.
ALTER TABLE prm_{kind}_event ADD COLUMN IF NOT EXISTS xid xid8 NOT NULL DEFAULT '0';
ALTER TABLE prm_{kind}_event ALTER COLUMN xid SET DEFAULT pg_current_xact_id();

-- step without a transaction
DROP INDEX CONCURRENTLY IF EXISTS prm_{kind}_event_xid_id_idx;
CREATE INDEX CONCURRENTLY prm_{kind}_event_xid_id_idx ON prm_{kind}_event (xid, id);

-- step
-- Nothing more: this says that all of it is done.
SELECT 1;
