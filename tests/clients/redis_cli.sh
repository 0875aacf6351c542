#!/bin/bash
# redis-cli through the proxy, as people use it: from a script on its standard input, in RESP3, with
# --pipe, --scan, --eval; what it is told, and what it has to print, stands in
# tests/system/test_clients.c.
set -euo pipefail

host=$1 port=$2 name=$3
# With TLS=1, or TLS=clients, the proxy speaks TLS (tests/system/harness/secure.h).
tls=()
[[ ${TLS:-} != 1 && ${TLS:-} != clients ]] || tls=(--tls --cacert "$TLS_FOLDER/ca.crt")
dir=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$dir"' EXIT

cli() { redis-cli -h "$host" -p "$port" "${tls[@]}" "$@"; }

# is WHAT WANTED GOT
is() {
    if [[ $2 != "$3" ]]; then
        printf '%s: wanted\n%s\ngot\n%s\n' "$1" "$2" "$3"
        exit 1
    fi
}

lines() { printf '%s\n' "$@"; }

# Waits until the file says so many lines.
heard() {
    local tries=0
    until (($(wc -l <"$1") >= $2)); do
        ((++tries < 400)) || { echo "$1: $(<"$1")"; exit 1; }
        sleep 0.05
    done
}

is connect "$(lines PONG OK OK 2 2)" "$(lines PING 'SELECT 3' "SET $name:k 2" 'WAIT 2 10000' \
    "GET $name:k" | cli)"
is 'another database' '' "$(cli GET "$name:k")"
is 'an error' 'ERR wrong number of arguments' "$(cli GET 2>&1 | cut -c1-29)"
echo connect ok

awk -v n="$name" 'BEGIN { for (i = 0; i < 5000; i++)
    printf "*3\r\n$3\r\nSET\r\n$%d\r\n%s:p:%d\r\n$1\r\n1\r\n", length(n ":p:" i), n, i }' |
    cli --pipe >"$dir/pipe"
is pipeline 'errors: 0, replies: 5000' "$(tail -1 "$dir/pipe")"
is 'scan' "$(lines 2 5000)" "$(lines "INCR $name:w" 'WAIT 2 10000' | cli | tail -1;
    cli --scan --pattern "$name:p:*" | sort -u | wc -l)"
echo pipeline ok

is transaction "$(lines OK QUEUED QUEUED OK 2)" \
    "$(lines MULTI "SET $name:t 1" "INCR $name:t" EXEC | cli | grep .)"
is 'a discarded transaction' "$(lines OK QUEUED OK 'ERR EXEC without MULTI')" \
    "$(lines MULTI "SET $name:t 1" DISCARD EXEC | cli 2>&1 | grep .)"
echo transaction ok

cli SUBSCRIBE "$name:news" >"$dir/first" &
heard "$dir/first" 3
cli PUBLISH "$name:news" hello >"$dir/published"
heard "$dir/first" 6
is pub/sub "$(lines message "$name:news" hello)" "$(tail -3 "$dir/first")"
kill $!
echo pub/sub ok

is 'a BLPOP that ends empty' '' "$(cli BLPOP "$name:queue" 0.05)"
cli BLPOP "$name:queue" 20 >"$dir/item" &
is 'a push' 1 "$(cli RPUSH "$name:queue" item)"
wait $!
is blocking "$(lines "$name:queue" item)" "$(<"$dir/item")"
echo blocking ok

echo "return {KEYS[1], ARGV[1], redis.call('INCR', KEYS[2])}" >"$dir/script.lua"
is script "$(lines k a 1)" "$(cli --eval "$dir/script.lua" k "$name:script" , a)"
sha=$(cli SCRIPT LOAD "return redis.call('INCR', KEYS[1]) -- $name")
is EVALSHA 2 "$(cli EVALSHA "$sha" 1 "$name:script")"
echo script ok

is RESP3 "$(lines 2 2 '1# "a" => "1"' '2# "b" => "2"')" "$(lines "HSET $name:h a 1 b 2" \
    'WAIT 2 10000' "HGETALL $name:h" | cli -3 --no-raw | sed 's/(integer) //')"
is 'RESP3 as JSON' '{"a":"1","b":"2"}' "$(cli -3 --json HGETALL "$name:h")"
echo RESP3 ok

# ---- the switchover: two streams of increments, each of one redis-cli ----

switched() { [[ -s $dir/go ]]; }
one() { printf '*2\r\n$4\r\nINCR\r\n$%d\r\n%s\r\n' "$((${#name} + 8))" "$name:counter"; }

cli BLPOP "$name:go" 0 >"$dir/go" &
cli -3 SUBSCRIBE "$name:news" >"$dir/news" &
heard "$dir/news" 3
# redis-cli reads the next line when it has printed the last answer
{ until switched; do lines "INCR $name:typed" "EVALSHA $sha 1 $name:typed" \
    MULTI "INCR $name:typed" EXEC; sleep 0.02; done; } | cli -3 >"$dir/typed" 2>&1 &
typed=$!
heard "$dir/typed" 5
echo 'ready for switchover'
{ until switched; do one; sleep 0.01; done; one; } | tee "$dir/sent" | cli --pipe >"$dir/piped" 2>&1
wait $typed
is 'what blocked' "$(lines "$name:go" switched)" "$(<"$dir/go")"
is 'the typed increments' "$(seq "$(($(cli INCR "$name:typed") - 1))")" \
    "$(grep -vE '^(OK|QUEUED|)$' "$dir/typed")"
cli PUBLISH "$name:news" here >"$dir/published"
heard "$dir/news" 6
is 'the subscription' "$(lines message "$name:news" here)" "$(tail -3 "$dir/news")"
sent=$(grep -c INCR "$dir/sent")
is 'the piped increments' "errors: 0, replies: $sent" "$(tail -1 "$dir/piped")"
echo "counter $sent"
