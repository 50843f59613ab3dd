-- additive: yes
-- What happened in a run, the same for every watcher: faults that somebody made, and what instances saw.
CREATE TABLE tandem_happening (
    -- Runs of what: user, or the kind of an aggregate.
    aggregate text        NOT NULL,
    seed      text        NOT NULL,
    -- What makes it one, whoever of several watchers keeps it.
    once      text        NOT NULL,
    at        timestamptz NOT NULL,
    kind      text        NOT NULL,
    text      text        NOT NULL,
    -- Of a takeover: how many users it was in all, with those before.
    amount    bigint,
    PRIMARY KEY (aggregate, seed, once)
);
CREATE INDEX tandem_happening_at ON tandem_happening (at);

-- How a run went, as it was judged last: JSON (runs/verdict.py: Verdict).
CREATE TABLE tandem_verdict (
    aggregate text        NOT NULL,
    seed      text        NOT NULL,
    made_at   timestamptz NOT NULL,
    verdict   json        NOT NULL,
    PRIMARY KEY (aggregate, seed)
);
