-- Users that MongoDB refused for good, set aside with its reason so that the rest goes on.

CREATE TABLE prm_user_dead_letter (
    user_id    bigint PRIMARY KEY REFERENCES prm_user NOT ENFORCED,
    version    integer NOT NULL,
    error      text NOT NULL,
    app_id     text NOT NULL,
    created_at timestamptz NOT NULL
);

ALTER TABLE prm_user_count ADD COLUMN dead_letters bigint NOT NULL DEFAULT 0;
