#!/bin/bash
# Installs what tests/page/page.js drives a browser with, exactly as package-lock.json pins it, into build/page, from the
# registry that npm is set up with. Says nothing when nothing is to be done.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
to=$here/../../build/page

if [[ -e $to/installed ]] && cmp -s "$here/package-lock.json" "$to/package-lock.json"; then
    exit 0
fi
rm -rf "$to"
mkdir -p "$to"
cp "$here/package.json" "$here/package-lock.json" "$to"
echo 'page: installing what package.json lists'
(cd "$to" && npm ci --ignore-scripts --no-audit --no-fund >log 2>&1) || {
    cat "$to/log" >&2
    exit 1
}
touch "$to/installed"
