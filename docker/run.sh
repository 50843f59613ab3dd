#!/bin/sh
# Builds the image, starts the databases with their consoles (../infra), the migration, three instances and the load
# balancer, and returns when all of them are ready. Takes what follows as options of `up`.
set -eu
cd "$(dirname "$0")"

if ! docker info >/dev/null 2>&1; then
    echo "Docker does not answer. Install and start it, and see that this account may use it." >&2
    echo "Without Docker, ./run.sh in the folder above runs the same on this machine." >&2
    exit 1
fi
if ! docker compose version >/dev/null 2>&1; then
    echo "'docker compose' is not here. Install Docker's compose plugin, 2.20 or newer." >&2
    exit 1
fi

docker compose --profile consoles up --build --detach "$@"

echo "Tandem is running."
echo "  The page       http://127.0.0.1:8080/"
echo "  The API        http://127.0.0.1:8080/api"
echo "  pgAdmin        http://127.0.0.1:15433/    mongo-express  http://127.0.0.1:18081/"
echo "  Their passwords come from 'docker compose run --rm secrets show pgadmin_password' (mongo_express_password); the names"
echo "  are admin@example.com and admin."
echo "It ends with 'docker compose --profile consoles down' in docker/. Data stay in volumes; '--volumes' removes them."
