-- additive: yes
-- What was repaired, and what is to be: a row for each difference between the stores that somebody wants healed. Instances
-- carry it out by the normal flow. The pending tables stay as they are: programs of the version before go on with those.
CREATE TABLE tandem_repair (
    number      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind        text NOT NULL,
    -- As extended JSON, since MongoDB may have ids that no row can have.
    id          text NOT NULL,
    what        text NOT NULL,
    version     integer,
    fields      text[] NOT NULL,
    -- Who asked for it.
    reason      text NOT NULL,
    found_at    timestamptz NOT NULL DEFAULT now(),
    tries       integer NOT NULL DEFAULT 0,
    tried_at    timestamptz,
    -- Why the last try did not heal it.
    error       text,
    -- When both sides were seen to be equal.
    repaired_at timestamptz,
    -- The document that was removed, as extended JSON: it may have been the only copy. Kept for 30 days.
    document    text
);
CREATE UNIQUE INDEX tandem_repair_open ON tandem_repair (kind, id) WHERE repaired_at IS NULL;
CREATE INDEX tandem_repair_document ON tandem_repair (repaired_at) WHERE document IS NOT NULL;

-- How each chunk of ids was found when it was last verified. The scrubbers of all instances share the chunks.
CREATE TABLE tandem_verified (
    kind        text NOT NULL,
    -- All ids above this, and up to that. The last chunk of a kind goes to the highest id there can be.
    after       bigint NOT NULL,
    through     bigint NOT NULL,
    -- The life of an instance that verifies it now; null: none does.
    incarnation bigint,
    claimed_at  timestamptz,
    created_at  timestamptz NOT NULL DEFAULT now(),
    -- When its last verification began; null: it was never verified.
    verified_at timestamptz,
    checked     bigint NOT NULL DEFAULT 0,
    equal       bigint NOT NULL DEFAULT 0,
    pending     bigint NOT NULL DEFAULT 0,
    set_aside   bigint NOT NULL DEFAULT 0,
    missing     bigint NOT NULL DEFAULT 0,
    surplus     bigint NOT NULL DEFAULT 0,
    lost        bigint NOT NULL DEFAULT 0,
    stale       bigint NOT NULL DEFAULT 0,
    differing   bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (kind, after)
);
