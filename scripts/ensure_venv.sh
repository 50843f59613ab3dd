#!/bin/sh
# Makes .venv, or brings it up to date: `scripts/ensure_venv.sh local` for what requirements/local.txt names, `dev` for
# requirements/dev.txt. Does nothing, in no time, where a stamp says that it is as it should be.
set -eu
cd "$(dirname "$0")/.."
requirements=requirements/$1.txt
stamp=.venv/tandem-$1.stamp
unfinished=.venv/tandem-unfinished
# Where .venv is activated, its own Python comes first, which has no pip and cannot make it anew.
PATH=$(printf ':%s:' "$PATH" | sed "s|:$PWD/.venv/bin:|:|; s|^:||; s|:\$||")
place=.venv/tandem-place

fail() {
    echo "$*" >&2
    exit 1
}

wanted() {
    { pwd; cat "$requirements" pyproject.toml; } | sha256sum
}

# Whether what is in .venv can be built upon. An installation that was cut short may lack anything, and an
# environment does not survive a move of its checkout.
is_sound() {
    .venv/bin/python -c '' 2>/dev/null && [ ! -e "$unfinished" ] &&
        [ "$(cat "$place" 2>/dev/null || pwd)" = "$(pwd)" ]
}

find_python() {
    for candidate in python3 python3.11 python3.12 python3.13 python3.14; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info)' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    fail "Python 3.11 or newer is needed, and there is none on the PATH. On Debian 12: apt-get install python3 python3-pip"
}

make_venv() {
    # Debian's Python makes no environment with pip in it unless python3-venv is there; its own pip serves as well.
    if "$python" -m pip --version >/dev/null 2>&1; then
        "$python" -m venv --without-pip .venv
    elif ! "$python" -m venv .venv >/dev/null 2>&1; then
        rm -rf .venv
        fail "$python has neither pip nor ensurepip. On Debian: apt-get install python3-pip"
    fi
}

install() {
    if .venv/bin/python -m pip --version >/dev/null 2>&1; then
        set -- .venv/bin/python -m pip install "$@"
    else
        set -- "$python" -m pip --python .venv/bin/python install "$@"
    fi
    "$@" --quiet --no-input --disable-pip-version-check --root-user-action=ignore >>"$log" 2>&1 &
    pip=$!
    trap 'kill $pip 2>/dev/null; exit 130' INT TERM HUP
    while kill -0 $pip 2>/dev/null; do
        printf . >&2
        sleep 1
    done
    trap - INT TERM HUP
    wait $pip || { echo >&2; cat "$log" >&2; fail "The Python packages could not be installed; pip says why above."; }
}

# One at a time: others wait here, and then find the work done. The lock goes with this process.
exec 9<.
flock --nonblock 9 || {
    echo "Waiting for another run that prepares .venv." >&2
    flock 9
}

if is_sound && [ "$(cat "$stamp" 2>/dev/null)" = "$(wanted)" ]; then
    exit 0
fi
python=$(find_python)
printf 'Preparing .venv with %s; this takes a minute the first time ' "$("$python" --version)" >&2
if ! is_sound; then
    rm -rf .venv
    make_venv
    pwd >"$place"
fi
touch "$unfinished"
log=.venv/tandem-pip.log
: >"$log"
install --require-hashes --requirement "$requirements"
install --no-deps --no-build-isolation --editable .
wanted >"$stamp"
rm "$unfinished"
echo ' done.' >&2
