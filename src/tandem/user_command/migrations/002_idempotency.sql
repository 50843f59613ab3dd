-- A command with an Idempotency-Key creates one user, however often it is sent. The key lives as long as the
-- user. The index holds only users that have one, so the others pay nothing for it.

ALTER TABLE prm_user
    ADD COLUMN idempotency_key text,
    ADD COLUMN fingerprint bytea;

CREATE UNIQUE INDEX prm_user_idempotency_key ON prm_user (idempotency_key) WHERE idempotency_key IS NOT NULL;
