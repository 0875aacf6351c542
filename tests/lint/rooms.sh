#!/bin/bash
# The rules between the rooms: rooms.sh OBJECTS, the product's objects (build/obj/proxy/...), of which nm tells who
# uses whom. A room includes, and calls, only what is below it; there is no circle of headers and none of files; and
# no file stands outside a room.
set -euo pipefail
(($#)) || { echo "usage: rooms.sh OBJECTS" >&2; exit 1; }

# The rooms in floors: a room may include its own headers and those of the floors below. redis knows no sockets,
# net and threads know no Redis.
declare -A may=(
    [base]="base"
    [redis]="base redis"
    [net]="base net"
    [threads]="base threads"
    [topology]="base redis net topology"
    [nodes]="base redis net threads topology nodes"
    [session]="base redis net threads topology nodes session"
    [commands]="base redis net threads topology nodes session commands"
    [worker]="base redis net threads topology nodes session commands worker"
    [ops]="base redis net threads topology nodes session commands worker ops"
    [main.c]="base redis net threads topology nodes session commands worker ops"
)
bad=0

complain() {
    echo "$1" >&2
    bad=1
}

# file:line:#include "room/header.h"
while IFS=: read -r file line include; do
    room=${file#*/}
    room=${room%%/*}
    header=$(sed 's/.*"\(.*\)".*/\1/' <<<"$include")
    if [[ -z ${may[$room]:-} ]]; then
        complain "$file: no such room: $room"
    elif [[ $header != */* && -e ${file%/*}/$header ]]; then
        continue # a table beside the source that reads it
    elif [[ ! -e include/$header ]]; then
        complain "$file:$line: \"$header\" is not in include/"
    elif [[ " ${may[$room]} " != *" ${header%%/*} "* ]]; then
        complain "$file:$line: $room may not include \"$header\" (only: ${may[$room]})"
    fi
done < <(grep -rnE '^\s*#\s*include\s*"' include proxy --include='*.[ch]')

# A table with uthash's own hash, which is known, could be filled with keys that collide.
while IFS=: read -r file line _; do
    [[ $file == include/base/keyed_hash.h ]] ||
        complain "$file:$line: include \"base/keyed_hash.h\" instead of <uthash.h>"
done < <(grep -rnE '^\s*#\s*include\s*<uthash\.h>' include proxy --include='*.[ch]')

# tsort names the headers of a cycle.
if ! (cd include && grep -roE '^\s*#\s*include\s*"[^"]+"' -- */ | sed 's/:.*"\(.*\)"/ \1/') |
    tsort >/dev/null; then
    complain "headers include each other in a circle (above)"
fi

# What headers do not show: a declaration of one's own, or a table.
calls=$(nm -A "$@" | awk -f tests/lint/calls.awk)
[[ -n $calls ]] || complain "the objects use nothing of each other: were they built?"
while read -r from to symbol; do
    room=${from%%/*} other=${to%%/*}
    [[ $room == main ]] && room=main.c
    if [[ " ${may[$room]:-} " != *" $other "* ]]; then
        complain "proxy/$from.c uses $symbol of proxy/$to.c: $room may not use $other (only: ${may[$room]:-})"
    fi
done <<<"$calls"
awk -f tests/lint/circles.awk <<<"$calls" >&2 || bad=1

exit "$bad"
