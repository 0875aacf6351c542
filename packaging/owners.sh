#!/bin/bash
# The Debian packages that the shared libraries of a program are from, each with a library: owners.sh PROGRAM. A line is
# PACKAGE:ARCHITECTURE PATH.
set -euo pipefail
(($# == 1)) || { echo "usage: owners.sh PROGRAM" >&2; exit 1; }

libraries=$("$(dirname "$0")/libraries.sh" "$1")
while read -r path; do
    # dpkg knows a file under the name that its package has for it: with or without /usr, and a link by its own name.
    real=$(realpath "$path")
    owner=
    for name in "$path" "/usr$path" "${path#/usr}" "$real" "${real#/usr}"; do
        owner=$(dpkg-query -S "$name" 2>/dev/null | grep -v '^diversion' | head -n 1) && [[ -n $owner ]] && break
    done
    [[ -n $owner ]] || { echo "owners: no package has $path" >&2; exit 1; }
    echo "${owner%%: *} $path"
done <<<"$libraries"
