-- The rights of the service role: no more than the instances use. Run after every migration; harmless twice.
-- The role is made by whoever runs the server (`tandem up` does); without it there is nothing to grant.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'tandem_service') THEN
        GRANT USAGE ON SCHEMA public TO tandem_service;
        GRANT SELECT ON tandem_migration TO tandem_service;
        GRANT SELECT, INSERT ON prm_country, prm_timezone, prm_user, prm_user_location, prm_user_login,
            prm_user_picture, prm_user_event TO tandem_service;
        -- All but who a user is, which run it belongs to and who created it.
        GRANT UPDATE (email, status, version, updated_at, gender, title, first_name, last_name, birth_at, birth_age,
            registered_at, registered_age, phone, cell, identity_name, identity_value, nationality,
            idempotency_key, fingerprint) ON prm_user TO tandem_service;
        GRANT UPDATE, DELETE ON prm_user_location, prm_user_login, prm_user_picture TO tandem_service;
        -- To erase a person. No event is changed otherwise, and none is ever deleted.
        GRANT UPDATE (event_data, traceparent) ON prm_user_event TO tandem_service;
        GRANT SELECT, INSERT, UPDATE (fingerprint) ON prm_user_key TO tandem_service;
        -- What other cells have claimed (delivery.sql, claim_keys), which no user has.
        GRANT UPDATE (user_id, version), DELETE ON prm_user_key TO tandem_service;
        GRANT EXECUTE ON FUNCTION tandem_extend_log TO tandem_service;
        GRANT SELECT ON tandem_event_archive TO tandem_service;
        GRANT SELECT ON prm_user_state TO tandem_service;
        -- UPDATE: to move it ahead when a standby was promoted or a backup restored (note_history).
        GRANT USAGE, UPDATE ON SEQUENCE prm_user_id_seq TO tandem_service;
        GRANT SELECT, INSERT ON tandem_history TO tandem_service;
        GRANT SELECT ON tandem_feed_era TO tandem_service;
        GRANT SELECT, INSERT, UPDATE, DELETE ON prm_user_pending TO tandem_service;
        GRANT SELECT, INSERT, UPDATE, DELETE ON tandem_instance TO tandem_service;
        GRANT SELECT, INSERT, UPDATE ON prm_user_count, prm_user_lag TO tandem_service;
        GRANT SELECT, INSERT, UPDATE, DELETE ON prm_user_dead_letter TO tandem_service;
        GRANT SELECT, INSERT, DELETE ON prm_run_sample TO tandem_service;
        GRANT SELECT, INSERT, DELETE ON tandem_happening TO tandem_service;
        GRANT SELECT, INSERT, UPDATE ON tandem_verdict TO tandem_service;
        GRANT SELECT ON tandem_projection TO tandem_service;
        GRANT SELECT ON tandem_aggregate_migration TO tandem_service;
        GRANT SELECT, INSERT, UPDATE, DELETE ON tandem_reaction TO tandem_service;
        GRANT SELECT, INSERT, UPDATE ON tandem_repair, tandem_verified TO tandem_service;
        -- So that a deployment can be proved with the rights of its instances.
        GRANT SELECT ON lab_run, lab_pending, lab_address, lab_synchronized, lab_lag, lab_user, lab_event, lab_change
            TO tandem_service;
    END IF;
END $$;
