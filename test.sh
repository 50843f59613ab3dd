#!/bin/sh
# Runs every check there is: lint, format, types, import rules, tests. Takes pytest's arguments.
# Tests run in two processes, each with servers of its own; `-n 0` keeps them in one, `-n 4` makes four.
set -eu
cd "$(dirname "$0")"
scripts/ensure_venv.sh dev

check() {
    if output=$("$@" 2>&1); then
        echo "ok: $*"
    else
        printf '%s\n' "$output"
        echo "FAILED: $*"
        exit 1
    fi
}

PATH=$PWD/.venv/bin:$PATH
check ruff check --no-cache
check ruff format --check
check mypy
check lint-imports
check scripts/check_client.sh
exec pytest -n 2 --dist loadfile "$@"
