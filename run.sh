#!/bin/sh
# Runs the whole stack; the first time it installs what that takes into .venv. Takes the options of `tandem up`.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
"$here/scripts/ensure_venv.sh" local
exec "$here/.venv/bin/tandem" up "$@"
