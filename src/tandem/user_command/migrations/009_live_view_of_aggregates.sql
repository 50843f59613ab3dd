-- additive: yes
-- What a life has in hand of runs of other aggregates, by their kind: {"order": {seed: RunInFlight}}. Users' runs stay
-- in in_hand, where programs of the version before look for them by seeds, which may be any text.
ALTER TABLE tandem_instance ADD COLUMN in_hand_of jsonb NOT NULL DEFAULT '{}';
