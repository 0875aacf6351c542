#!/bin/bash
# The system calls that a unit's SystemCallFilter= allows, one a line: syscalls.sh UNIT. As systemd reads it: the lines one
# after the other, the first of which says whether it is a list of what is allowed; ~ takes away.
set -euo pipefail

# A set's calls, those of the sets in it, too. "# ..." are comments.
expand() {
    local name
    if [[ $1 != @* ]]; then
        echo "$1"
        return
    fi
    systemd-analyze syscall-filter "$1" | sed 1d | sed 's/^ *//' | grep -v '^\(#.*\)\?$' |
        while read -r name; do expand "$name"; done
}

allowed=$(mktemp)
trap 'rm -f "$allowed" "$allowed.new" "$allowed.one"' EXIT
# What systemd always allows (execve(), exit(), ...).
expand @default | sort -u >"$allowed"
while read -r line; do
    names=${line#\~}
    for name in $names; do expand "$name"; done | sort -u >"$allowed.one"
    if [[ $line == \~* ]]; then
        comm -23 "$allowed" "$allowed.one" >"$allowed.new"
    else
        sort -u "$allowed" "$allowed.one" >"$allowed.new"
    fi
    mv "$allowed.new" "$allowed"
done < <(sed -n 's/^SystemCallFilter=//p' "$1")
cat "$allowed"
