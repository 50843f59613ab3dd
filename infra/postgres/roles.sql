-- Makes the roles and the database of Tandem. The image runs this once, with psql, when its volume is new.
-- psql takes the passwords from files, so that they stand in no command line and in no environment.
\if `test -n "${SECRETS:-}" && echo true || echo false`
\else
    \setenv SECRETS /run/tandem/secrets
\endif
\set owner_password `cat "$SECRETS/postgres_owner_password"`
\set service_password `cat "$SECRETS/postgres_service_password"`
SELECT :'owner_password' = '' OR :'service_password' = '' AS missing \gset
\if :missing
    DO $$ BEGIN RAISE 'The passwords of the roles cannot be read'; END $$;
\endif

-- A statement that fails is not to leave its password in the log.
SET log_min_error_statement = panic;
CREATE ROLE tandem_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE tandem_service LOGIN PASSWORD :'service_password';
CREATE DATABASE tandem OWNER tandem_owner;
