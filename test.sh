#!/bin/sh
# Runs every check there is: lint, format, types, import rules, tests. Takes pytest's arguments.
# Tests run in two processes, each with servers of its own; without the slow ones in four, since the others wait half of
# the time for programs to start. `-n 0` keeps them in one.
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
case "$*" in
*"not slow"*) processes=4 ;;
*) processes=2 ;;
esac
# They start some 400 programs. Without bytecode, each would compile itself anew, which takes a tenth of a second.
unset PYTHONDONTWRITEBYTECODE
exec pytest -n "$processes" --dist loadfile "$@"
