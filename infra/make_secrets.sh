#!/bin/sh
# Makes the secrets of infra/ and docker/ that are not there yet, and changes none. The container `secrets` runs it.
#   make            make them, in the folder $SECRETS
#   show NAME       print one, like `pgadmin_password`
# Each is a file that belongs to the account that reads it in its container, and that nobody else may read.
set -eu
secrets=${SECRETS:-/run/tandem/secrets}

fail() {
    echo "$*" >&2
    exit 1
}

# Files of a checkout made with `umask 077` are mounted as they are, and other containers have other accounts.
require_readable_checkout() {
    unreadable=$(find "${0%/*}" ! -perm -o=r -print | head -n 1)
    [ -z "$unreadable" ] ||
        fail "$unreadable cannot be read by the accounts in containers. Run in the checkout: chmod -R go+rX infra src"
}

# keep NAME ACCOUNT: what comes on standard input becomes the secret, whole or not at all.
keep() {
    (umask 077 && cat >"$secrets/.$1")
    chmod 0400 "$secrets/.$1"
    chown "$2:$2" "$secrets/.$1"
    mv "$secrets/.$1" "$secrets/$1"
}

# password NAME ACCOUNT
password() {
    [ -e "$secrets/$1" ] || od -An -N24 -v -tx1 /dev/urandom | tr -d ' \n' | keep "$1" "$2"
}

# url NAME ACCOUNT BEFORE PASSWORD AFTER
url() {
    [ -e "$secrets/$1" ] || printf '%s%s%s' "$3" "$(cat "$secrets/$4")" "$5" | keep "$1" "$2"
}

make_all() {
    databases=999 # of PostgreSQL's and of MongoDB's image
    tandem=10001
    after_mongodb='@mongodb:27017/tandem?authSource=admin&directConnection=true'

    for name in postgres postgres_owner postgres_service mongodb_root mongodb_owner mongodb_service mongodb_viewer; do
        password "${name}_password" $databases
    done
    password mongodb_key $databases
    for who in owner service; do
        url "${who}_postgres_url" $tandem "postgresql://tandem_$who:" "postgres_${who}_password" '@postgres:5432/tandem'
        url "${who}_mongodb_url" $tandem "mongodb://tandem_$who:" "mongodb_${who}_password" "$after_mongodb"
    done
    password pgadmin_password 5050
    url mongo_express_url 0 'mongodb://tandem_viewer:' mongodb_viewer_password "$after_mongodb"
    password mongo_express_password 0
    password mongo_express_cookie 0
    password grafana_password 472
}

case ${1:-} in
make)
    require_readable_checkout
    make_all
    ;;
show)
    [ -e "$secrets/${2:?Say which: one of $(ls "$secrets")}" ] || fail "There is no $2, only: $(ls "$secrets")"
    cat "$secrets/$2"
    echo
    ;;
*) fail "Say 'make', or 'show NAME'." ;;
esac
