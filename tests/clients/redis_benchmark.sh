#!/bin/bash
# redis-benchmark through the proxy, in RESP2 and RESP3, with pipelines: what it is told, and what
# it has to print, stands in tests/system/test_clients.c. Its verdict is what it left behind.
set -euo pipefail

host=$1 port=$2 name=$3
# With TLS=1, or TLS=clients, the proxy speaks TLS (tests/system/harness/secure.h).
tls=()
[[ ${TLS:-} != 1 && ${TLS:-} != clients ]] || tls=(--tls --cacert "$TLS_FOLDER/ca.crt")
# the built-in tests use fixed keys: each route has a database of its own
db=$([[ $name == *split ]] && echo 2 || echo 1)
dir=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$dir"' EXIT

cli() { redis-cli -h "$host" -p "$port" "${tls[@]}" "$@"; }
bench() { redis-benchmark -h "$host" -p "$port" "${tls[@]}" -q "$@" >"$dir/out" 2>&1; }

# On "split" a plain read goes to a replica.
from_master() { printf 'MULTI\n%s\nEXEC\n' "$*" | cli -n "$db" | tail -1; }

# is WHAT WANTED GOT
is() {
    if [[ $2 != "$3" ]]; then
        printf '%s: wanted <%s>, got <%s>\n' "$1" "$2" "$3"
        cat "$dir/out"
        exit 1
    fi
}

for protocol in '' -3; do
    cli -n "$db" DEL counter:__rand_int__ mylist >"$dir/out"
    bench $protocol --dbnum "$db" -t ping,set,get,incr,lpush,mset -P 16 -n 8000
    is 'errors' 0 "$(grep -ci error "$dir/out")"
    is 'tests' 7 "$(tr '\r' '\n' <"$dir/out" | grep -c 'requests per second')" # PING is two
    is 'INCR' 8000 "$(from_master GET counter:__rand_int__)"
    is 'LPUSH' 8000 "$(from_master LLEN mylist)"
    echo "benchmark $protocol ok"
done

# ---- the switchover: one benchmark after the other, until it is over ----

cli BLPOP "$name:go" 0 >"$dir/go" &
done=0
increments() {
    bench "$@" -P 16 -c 20 -n 1600 INCR "$name:counter"
    is 'errors' 0 "$(grep -ci error "$dir/out")"
    ((done += 1600))
}
increments
echo 'ready for switchover'
until [[ -s $dir/go ]]; do
    increments
    increments -3
done
is 'what blocked' "$name:go switched" "$(paste -sd' ' "$dir/go")"
increments
echo "counter $done"
