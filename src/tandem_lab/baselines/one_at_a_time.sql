-- The PostgreSQL half of one user, as one statement and one transaction, for pgbench: the rows of create_users
-- (src/tandem/user_command/users.sql) without its counters. Each user has an e-mail address of its own. All other
-- values are those of one made-up user, given as variables by one_at_a_time.py.
WITH input AS MATERIALIZED (
    SELECT nextval('prm_user_id_seq') AS id, now() AS created_at
), users AS (
    INSERT INTO prm_user (
        id, email, seed, app_id, status, version, created_at, gender, title, first_name, last_name,
        birth_at, birth_age, registered_at, registered_age, phone, cell, identity_name, identity_value, nationality
    )
    SELECT id, 'user' || id || '@example.com', :app_id, :app_id, 'CREATED', 1, created_at,
           :gender, :title, :first_name, :last_name, :birth_at::timestamptz, :birth_age::smallint,
           :registered_at::timestamptz, :registered_age::smallint,
           :phone, :cell, :identity_name, :identity_value, :nationality
    FROM input
), locations AS (
    INSERT INTO prm_user_location
    SELECT id, :street_number::integer, :street_name, :city, :state, :postcode, 1, :latitude, :longitude, 1
    FROM input
), logins AS (
    INSERT INTO prm_user_login SELECT id, :uuid, :username FROM input
), pictures AS (
    INSERT INTO prm_user_picture SELECT id, :large, :medium, :thumbnail FROM input
), events AS (
    INSERT INTO prm_user_event (user_id, version, event_type, event_data, seed, app_id, created_at)
    SELECT id, 1, 'CREATED', :event_data::jsonb, :app_id, :app_id, created_at FROM input
), pending AS (
    INSERT INTO prm_user_pending (user_id, version, incarnation, created_at) SELECT id, 1, 1, created_at FROM input
)
SELECT id, created_at FROM input;
