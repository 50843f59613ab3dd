#!/bin/sh
# Writes MONGODB_KEY into a file, then becomes the command that it is given. mongod reads the key of its replica set from
# a file that belongs to its own account and that nobody else can read; a mounted file would belong to somebody else.
set -eu
file=${MONGODB_KEY_FILE:-/run/tandem/key}
umask 077
printf '%s' "$MONGODB_KEY" >"$file"
unset MONGODB_KEY
if [ "$(id -u)" = 0 ]; then
    chown mongodb: "$file"
fi
exec "$@"
