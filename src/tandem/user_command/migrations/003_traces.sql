-- additive: yes
-- The trace that a user's creation belongs to (W3C `traceparent`), so that whoever goes on with the user goes on
-- with its trace. Null where nobody follows it: nearly always.
ALTER TABLE prm_user_event ADD COLUMN traceparent text;
