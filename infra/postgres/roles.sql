-- Makes the roles and the database of Tandem. The image runs this once, with psql, when its volume is new.
-- psql takes the passwords from the environment, so that they stand in no command line.
\getenv owner_password POSTGRES_OWNER_PASSWORD
\getenv service_password POSTGRES_SERVICE_PASSWORD

-- A statement that fails is not to leave its password in the log.
SET log_min_error_statement = panic;
CREATE ROLE tandem_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE tandem_service LOGIN PASSWORD :'service_password';
CREATE DATABASE tandem OWNER tandem_owner;
