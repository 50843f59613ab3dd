#!/bin/sh
# Checks the page's JavaScript: its JSDoc types (tsc), then its pure parts (node's test runner).
set -eu
cd "$(dirname "$0")/../tests/unit/client"
PATH=$PWD/../../../.venv/bin:$PATH
stamp=node_modules/.tandem-lock
if ! cmp -s package-lock.json "$stamp"; then
    npm ci --silent --no-audit --no-fund
    cp package-lock.json "$stamp"
fi
node node_modules/typescript/bin/tsc --project tsconfig.json
node --import ./modules.js --test --test-timeout=30000 --test-reporter=dot ./*.test.js
