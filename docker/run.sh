#!/bin/sh
# Builds the image, then starts the databases with their consoles (../infra), the migration, three instances and the
# load balancer, and returns when all of them are ready. Takes what follows as options of `up`.
set -eu
cd "$(dirname "$0")"

if ! docker info >/dev/null 2>&1; then
    echo "Docker does not answer. Install and start it, and see that this account may use it." >&2
    echo "Without Docker, ./run.sh in the folder above runs the same on this machine." >&2
    exit 1
fi
if docker compose version >/dev/null 2>&1; then
    compose="docker compose"
elif command -v docker-compose >/dev/null; then
    compose=docker-compose
else
    echo "Neither 'docker compose' nor 'docker-compose' is here. Install Docker with its compose plugin." >&2
    exit 1
fi

../infra/make_env.sh
(cd ../infra && $compose up --detach)
$compose --env-file ../infra/.env build
$compose --env-file ../infra/.env up --detach "$@"

echo "Tandem is running."
echo "  The page       http://127.0.0.1:8080/"
echo "  The API        http://127.0.0.1:8080/api"
echo "  pgAdmin        http://127.0.0.1:15433/    mongo-express  http://127.0.0.1:18081/    (passwords: infra/.env)"
echo "It ends with '$compose down' in docker/, then in infra/. Data stay in volumes; 'down --volumes' removes them."
