-- additive: yes
-- How long the oldest user of a run that was not synchronized had waited then: 0 where there was none, null where
-- it was not known. Samples of the version before have none, and that version leaves it out.
ALTER TABLE prm_run_sample ADD COLUMN oldest_pending_ms float8;
