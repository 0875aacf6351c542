# What bench.sh, scale.sh and profile.sh share: Redis, a Sentinel and the peers in front of them,
# started in a temporary folder on 127.0.5.x (or .6, .7 ... when another run is there), and their end.
# Whoever sources it sets `tool` (for messages) and `connections` (how many clients at most).

net=
for ((third = 5; third < 20; third++)); do
    net=127.0.$third
    (exec 3<>"/dev/tcp/$net.1/6379") 2>/dev/null || break
done
redis_host=$net.1
redis=$redis_host:6379
sentinel=$redis_host:26379

dir=
helper=                # a process of the tool's own
pids=()                # of everything that start_all started
peers=()               # names, in the order of the table; the first is "direct"
declare -A program     # of a peer: the binary
declare -A template    # its configuration file, or nothing
declare -A workers     # of a redisproxy: how many, where it can be told
declare -A host        # where it listens, on port 6379
declare -A pid         # whose CPU and memory count
wrapper=()             # what the peers run under
groups=()              # beside mymaster: name and address of the master, one after the other

say() { printf '%s\n' "$*"; }
fail() {
    printf '\n%s: %s\n' "$tool" "$*" >&2
    exit 1
}

# ---- the end, whatever leads to it ----

kill_all() {
    local one
    for one in ${pids[@]+"${pids[@]}"}; do kill -KILL "$one" 2>/dev/null || true; done
    for one in ${pids[@]+"${pids[@]}"}; do wait "$one" 2>/dev/null || true; done
    pids=()
}

cleanup() {
    trap '' INT TERM HUP
    [[ -z $helper ]] || kill -KILL "$helper" 2>/dev/null || true
    kill_all
    [[ -z $dir ]] || rm -rf "$dir"
}

trap cleanup EXIT
trap 'exit 130' INT TERM HUP

# A child that ends with this script even if that is killed, and that does not see the terminal's
# Ctrl-C: it would die before what is measuring it. Its pid is in $! afterwards.
server() { setsid setpriv --pdeathsig KILL "$@" </dev/null & }

# ---- starting them ----

# With TLS=1 (bench.sh) port 6379 speaks TLS everywhere, with one certificate and one cipher, and Redis speaks plainly
# at 6378, for those that have TLS in front only.
secure=${TLS:-}
cipher=TLS_AES_128_GCM_SHA256

make_certificates() {
    local at names=
    tls=$dir/tls
    mkdir "$tls"
    for ((at = 1; at <= 40; at++)); do names+=,IP:$net.$at; done
    {
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=ca \
            -keyout "$tls/ca.key" -out "$tls/ca.crt"
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=bench \
            -keyout "$tls/tls.key" -out "$tls/tls.csr"
        openssl x509 -req -in "$tls/tls.csr" -CA "$tls/ca.crt" -CAkey "$tls/ca.key" -CAcreateserial -days 2 \
            -extfile <(echo "subjectAltName=${names#,}") -out "$tls/tls.crt"
    } 2>"$dir/openssl.log" || fail "no certificates: $(tail -n 3 "$dir/openssl.log")"
    cat "$tls/tls.crt" "$tls/tls.key" >"$tls/haproxy.pem"
    client_tls=(--tls --cacert "$tls/ca.crt" --tls-ciphersuites "$cipher")
}

conf_tls() {
    cat <<END
tls-cert-file $tls/tls.crt
tls-key-file $tls/tls.key
tls-ca-cert-file $tls/ca.crt
tls-auth-clients no
tls-ciphersuites $cipher
END
}

conf_redis() {
    if [[ -n $secure ]]; then
        printf 'port 6378\ntls-port 6379\n'
        conf_tls
    else
        echo port 6379
    fi
    cat <<END
bind $1
dir $2
save ""
appendonly no
maxclients $((connections + 500))
tcp-backlog 4096
END
}

# The second, with TLS=1: of the port at which Redis speaks plainly.
conf_sentinel() {
    cat <<END
bind $redis_host
port ${2:-26379}
dir $work
sentinel monitor mymaster $redis_host ${1:-6379} 1
END
    [[ -z $secure || -n ${1:-} ]] || { conf_tls && echo 'tls-replication yes'; }
    ((!${#groups[@]})) || printf 'sentinel monitor %s %s 6379 1\n' "${groups[@]}"
}

# Only what a fair run needs: no log, no idle timeout worth the name, no health checks; HAProxy's
# connect timeout is for a connection that it opens for a client. Buffers stay at their defaults.
conf_haproxy() {
    local behind=@REDIS@
    [[ -z $secure ]] || behind=$redis_host:6378
    cat <<END
global
    nbthread 1
    ${secure:+ssl-default-bind-ciphersuites $cipher}
    maxconn $((connections + 400))
defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
listen bench
    bind @LISTEN@ backlog 4096 ${secure:+ssl crt $tls/haproxy.pem}
    server redis $behind
END
}

# One connection to the server is twemproxy's default and its best case.
conf_nutcracker() {
    cat <<END
bench:
  listen: @LISTEN@
  redis: true
  hash: fnv1a_64
  distribution: ketama
  auto_eject_hosts: false
  preconnect: true
  backlog: 4096
  server_connections: 1
  servers:
   - @REDIS@:1
END
}

conf_proxy_section() {
    cat <<END
[proxy]
http = off
log = warn
max_clients = $((connections + 400))
${workers[$1]:+workers = ${workers[$1]}}
${secure:+tls_ciphersuites = $cipher}
END
}

conf_redisproxy() {
    conf_proxy_section "$1"
    cat <<END
[master mymaster]
sentinels = $([[ $1 == *-front ]] && echo "$redis_host:26380" || echo @SENTINEL@)
END
    [[ -z $secure || $1 == *-front ]] || printf 'tls = verify-full\ntls_ca = %s\n' "$tls/ca.crt"
    printf '[listen @LISTEN@]\nroute = master\n'
    [[ -z $secure ]] || printf 'tls = yes\ntls_cert = %s\ntls_key = %s\n' "$tls/tls.crt" "$tls/tls.key"
}

write_conf() {
    local peer=$1 kind
    kind=$(basename "${program[$peer]}")
    if [[ -n ${template[$peer]} ]]; then
        cat "${template[$peer]}"
    elif declare -F "conf_$kind" >/dev/null; then
        "conf_$kind" "$peer"
    else
        fail "$kind: there is no configuration for it here: give one after the colon"
    fi | sed "s/@LISTEN@/${host[$peer]}:6379/g; s/@HOST@/${host[$peer]}/g; s/@PORT@/6379/g
        s/@REDIS@/$redis/g; s/@SENTINEL@/$sentinel/g" >"$work/$peer.conf"
}

start_peer() {
    local peer=$1 run=${program[$1]} conf=$work/$1.conf log=$work/$1.log
    case $(basename "$run") in floor) ;; *) write_conf "$peer" ;; esac
    case $(basename "$run") in
    floor) server "$run" "${host[$peer]}" 6379 >"$log" 2>&1 ;;
    haproxy) server "$run" -db -f "$conf" >"$log" 2>&1 ;;
    nutcracker) server "$run" -c "$conf" -o "$log" -v 0 -a "${host[$peer]}" -i 3600000 \
        -p "$work/$peer.pid" ;;
    redisproxy) server "${wrapper[@]}" "$run" -c "$conf" >"$log" 2>&1 ;;
    *) server "$run" "$conf" >"$log" 2>&1 ;;
    esac
    pids+=($!)
    pid[$peer]=$!
}

client_tls=()
ask() { timeout 5 redis-cli ${client_tls[@]+"${client_tls[@]}"} -h "$1" -p "$2" "${@:3}" 2>/dev/null | tr -d '\r' || true; }

# A value of so many bytes of x.
put_value() {
    local at=$1 port=$2 key=$3 size=$4
    [[ $(head -c "$size" /dev/zero | tr '\0' x |
        redis-cli ${client_tls[@]+"${client_tls[@]}"} -h "$at" -p "$port" -x set "$key" 2>&1) == OK ]] ||
        fail "cannot set $key on $at:$port"
}

# A write through it works: it listens, and knows the master.
wait_ready() {
    local peer=$1 started=$SECONDS
    until [[ $(ask "${host[$peer]}" 6379 set bench:ready yes) == OK ]]; do
        kill -0 "${pid[$peer]}" 2>/dev/null ||
            fail "$peer ended: $(tail -n 5 "$work/$peer.log")"
        ((SECONDS - started < 30)) ||
            fail "$peer does not answer within 30 s: $(tail -n 5 "$work/$peer.log")"
        sleep 0.1
    done
}

# Its pid is in pid[NAME].
start_redis() {
    local name=$1 at=$2
    mkdir "$work/$name"
    conf_redis "$at" "$work/$name" >"$work/$name.conf"
    server redis-server "$work/$name.conf" "${@:3}" >"$work/$name.log" 2>&1
    pids+=($!)
    pid[$name]=$!
    host[$name]=$at
}

# The masters in groups; a tool that has replicas has its own.
start_groups() { :; }

# All of them in a new folder, with nothing that an earlier load left in their memory.
start_all() {
    local peer
    work=$dir/$1
    mkdir "$work"
    start_redis direct "$redis_host"
    wait_ready direct
    start_groups
    conf_sentinel >"$work/sentinel.conf"
    server redis-sentinel "$work/sentinel.conf" >"$work/sentinel.log" 2>&1
    pids+=($!)
    if [[ -n $secure ]]; then
        conf_sentinel 6378 26380 >"$work/sentinel-plain.conf"
        server redis-sentinel "$work/sentinel-plain.conf" >"$work/sentinel-plain.log" 2>&1
        pids+=($!)
    fi
    for peer in "${peers[@]:1}"; do start_peer "$peer"; done
    for peer in "${peers[@]:1}"; do wait_ready "$peer"; done
}
