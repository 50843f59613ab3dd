-- additive: yes
-- What the live view reads besides the counters (queries.sql: sample_runs). See docs/live.md.

-- Each life says with its lease when it last did so, and what it has in hand of each run (lease.py: RunInHand).
ALTER TABLE tandem_instance
    ADD COLUMN renewed_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN in_hand    jsonb       NOT NULL DEFAULT '{}';

-- How far a watched run was, second by second, so that its chart survives a reload. Whichever instance comes
-- first keeps the sample of a second. The columns' names are those of run_samples.Sample.
CREATE TABLE prm_run_sample (
    seed         text   NOT NULL,
    at_second    bigint NOT NULL,
    accepted     bigint NOT NULL,
    stored       bigint NOT NULL,
    projected    bigint NOT NULL,
    synchronized bigint NOT NULL,
    lag_ms       float8,
    PRIMARY KEY (seed, at_second)
);
