#!/bin/bash
# The rules between the rooms: who may include whom, no cycle, no file outside a room.
set -euo pipefail

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

# tsort names the headers of a cycle.
if ! (cd include && grep -roE '^\s*#\s*include\s*"[^"]+"' -- */ | sed 's/:.*"\(.*\)"/ \1/') |
    tsort >/dev/null; then
    complain "headers include each other in a circle (above)"
fi

exit "$bad"
