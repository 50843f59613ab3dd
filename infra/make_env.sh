#!/bin/sh
# Makes infra/.env from .env.example, with a random value for each name that has none. Leaves a .env that is there alone.
set -eu
cd "$(dirname "$0")"
[ ! -e .env ] || exit 0

umask 077
while IFS= read -r line; do
    case $line in
    [A-Z]*=) printf '%s%s\n' "$line" "$(od -An -N24 -v -tx1 /dev/urandom | tr -d ' \n')" ;;
    *) printf '%s\n' "$line" ;;
    esac
done <.env.example >.env.unfinished
mv .env.unfinished .env
echo "Made infra/.env with new passwords." >&2
