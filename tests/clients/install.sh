#!/bin/bash
# Installs the Node.js libraries that test_clients.c and test_services.c (tests/system/) run, exactly as
# package-lock.json pins them, from the registry that npm is set up with, into build/clients. When
# that registry cannot be reached, build/clients/unreachable stands in their place, and their tests
# are skipped. Says nothing when nothing is to be done.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
to=$here/../../build/clients

# a log that is left behind is that of an installation that was interrupted
if [[ -d $to/node_modules && ! -e $to/log ]] &&
    cmp -s "$here/package-lock.json" "$to/package-lock.json"; then
    exit 0
fi
rm -rf "$to"
mkdir -p "$to"
cp "$here/package.json" "$here/package-lock.json" "$to"
echo 'clients: installing what package.json lists'
if (cd "$to" && npm ci --ignore-scripts --no-audit --no-fund --fetch-retries=1 \
    --fetch-timeout=30000) >"$to/log" 2>&1; then
    rm "$to/log"
    exit 0
fi
rm -rf "$to/node_modules"
codes='NOTFOUND|AI_AGAIN|CONNREFUSED|CONNRESET|NETUNREACH|HOSTUNREACH|(IDLE|SOCKET_?)?TIMED?OUT|50[234]'
if grep -qE "^npm (error|ERR!) code E(RR_)?($codes)" "$to/log"; then
    echo 'clients: the npm registry cannot be reached: the tests with Node.js are skipped' >&2
    mv "$to/log" "$to/unreachable"
    exit 0
fi
cat "$to/log" >&2
exit 1
