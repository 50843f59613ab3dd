-- additive: yes
-- Which collections the documents of a kind are in. No row: generation 1 alone, in shape 1. The rows are changed by
-- `tandem rebuild` alone, one builder at a time; instances follow them (docs/decisions/0029-rebuild.md).
CREATE TABLE tandem_projection (
    kind           text PRIMARY KEY,
    -- Grows over all rows with each change of one.
    epoch          bigint NOT NULL,
    -- Work whose documents were written by whom had followed an earlier epoch is not ended.
    required_epoch bigint NOT NULL DEFAULT 0,
    -- The generation that is read, and the shape of its documents.
    live           integer NOT NULL DEFAULT 1,
    live_shape     integer NOT NULL DEFAULT 1,
    -- The one that is written besides: announced to all, being built, or the one that was live before.
    other          integer,
    other_shape    integer,
    phase          text CHECK (phase IN ('announced', 'building', 'previous')),
    -- The highest generation that there ever was.
    highest        integer NOT NULL DEFAULT 1,
    -- Up to which id rows were copied into the one that is being built.
    copied_through bigint NOT NULL DEFAULT 0,
    changed_at     timestamptz NOT NULL DEFAULT now(),
    CHECK ((other IS NULL) = (phase IS NULL) AND (other IS NULL) = (other_shape IS NULL)),
    CHECK (live <= highest AND (other IS NULL OR (other <= highest AND other <> live)))
);
-- The epoch that this life follows, and the latest shape of documents of each kind that its program knows.
ALTER TABLE tandem_instance ADD COLUMN projection_epoch bigint NOT NULL DEFAULT 0,
    ADD COLUMN shapes jsonb NOT NULL DEFAULT '{}';
