#!/bin/bash
# Runs what the documents tell people to type: run.sh DOCUMENT...   ("make test-docs" calls it, after a build)
#
#   ```sh                      is run by bash, on the trio of "make run", and must succeed
#                              Where a comment ends in "says WORD", that word must be in what the block says
#   ```sh not-run: REASON      is only parsed
#   ```ini                     is a configuration: "redisproxy -t" takes it. Without a [master] section it gets one
#   ```ini served              and the trio's proxy goes by it from then on, until the document's end
#
# All of it happens in namespaces of its own (of processes, mounts and the network), so that ports are free, "pidof redisproxy"
# finds the trio's proxy only, and nothing is left behind. The blocks of one document are run in their order, in a scratch folder
# that looks like a clone: build/, conf/, and proxy.conf, which is what the trio's proxy goes by.
set -euo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
cd "$top"

if [[ -z ${DOCS_APART:-} ]]; then
    as_root=()
    ((EUID == 0)) || as_root=(--user --map-root-user)
    DOCS_APART=yes exec unshare "${as_root[@]}" --net --pid --mount --fork --kill-child --mount-proc "$0" "$@"
fi

scratch=$(mktemp -d /tmp/redisproxy-docs-XXXXXX)
trio=
failed=0
count=0
switched= # a block has changed the master, and the trio may not be whole yet

cleanup() {
    if [[ -n $trio ]]; then
        kill -TERM "$trio" 2>/dev/null || true
        wait "$trio" 2>/dev/null || true
    fi
    rm -rf "$scratch"
}
trap cleanup EXIT

complain() {
    echo "$1" >&2
    failed=1
}

# ---- a place to run in ----

start_trio() {
    local deadline=$((SECONDS + 60))
    ip link set lo up
    tests/local.sh >"$scratch/trio" 2>"$scratch/log" &
    trio=$!
    until grep -q 'Ctrl-C stops everything' "$scratch/trio"; do
        if ((SECONDS > deadline)) || ! kill -0 "$trio" 2>/dev/null; then
            cat "$scratch/trio" "$scratch/log" >&2
            exit 1
        fi
        sleep 0.1
    done
}

# The program by its name alone, as where it is installed; ctl finds the trio's admin socket as it would find the default one.
install_program() {
    cat >"$scratch/bin/redisproxy" <<EOF
#!/bin/bash
if [[ \${1:-} == ctl && \${2:-} != -* ]]; then set -- ctl -s "$top/build/run/admin.sock" "\${@:2}"; fi
exec "$top/build/redisproxy" "\$@"
EOF
    chmod 755 "$scratch/bin/redisproxy"
}

make_scratch() {
    mkdir "$scratch/bin" "$scratch/clone"
    cp -r conf "$scratch/clone"
    ln -s "$top/build" "$scratch/clone/build"
    ln -s build/run/proxy.conf "$scratch/clone/proxy.conf"
    install_program
}

# After a change of master Sentinel needs some ten seconds until the old one follows.
settle() {
    local deadline=$((SECONDS + 60))
    switched=
    until build/redisproxy doctor -c build/run/proxy.conf >"$scratch/doctor" 2>&1; do
        ((SECONDS < deadline)) || { cat "$scratch/doctor" >&2; return 1; }
        sleep 0.3
    done
}

# ---- blocks ----

# Writes each block to a file LINE.LANGUAGE, which begins with the rest of its first line as a comment.
extract() {
    rm -rf "$scratch/blocks"
    mkdir "$scratch/blocks"
    awk -v dir="$scratch/blocks" '
        /^ *```/ && out { close(out); out = ""; next }
        /^ *```/ {
            language = $1; sub(/^```/, "", language)
            rest = $0; sub(/^ *```[a-z]* */, "", rest)
            out = sprintf("%s/%05d.%s", dir, NR, language == "" ? "none" : language)
            print "# " rest >out
            next
        }
        out { print >out }' "$1"
}

# says WHERE BLOCK: each word that a comment promises was said.
says() {
    local text
    while read -r text; do
        grep -qF -- "$text" "$scratch/said" || complain "$1 did not say $text, but: $(cat "$scratch/said")"
    done < <(sed -nE 's/.*#.* says ([^ ]+)$/\1/p' "$2")
}

run_commands() {
    local where=$1 block=$2 mark
    mark=$(head -n 1 "$block")
    bash -n "$block" || complain "$where: bash does not understand it"
    if [[ $mark != "# " ]]; then
        [[ $mark =~ ^"# not-run: "..........+ ]] || complain "$where: what should \"$mark\" mean? not-run: REASON"
        return
    fi
    count=$((count + 1))
    [[ -z $switched ]] || ! grep -qE 'doctor|switchover' "$block" || settle || complain "$where: the trio is not well before it"
    if (cd "$scratch/clone" && PATH=$scratch/bin:$PATH timeout 60 bash -euo pipefail "$block") >"$scratch/said" 2>&1 </dev/null; then
        says "$where" "$block"
    else
        complain "$where failed:
$(cat "$block")
It said: $(cat "$scratch/said")"
    fi
    if grep -q switchover "$block"; then switched=yes; fi
}

# The files that a recipe names are those that the blocks before it made; what is mounted as /tls is made of them.
absolute() {
    if [[ -e $scratch/clone/proxy.crt && ! -e $scratch/clone/tls ]]; then
        mkdir "$scratch/clone/tls"
        for end in crt key; do cp "$scratch/clone/proxy.$end" "$scratch/clone/tls/tls.$end"; done
    fi
    sed -E "s#= (/tls/)?([a-z]+\\.(crt|key)|users)\$#= $scratch/clone\1/\2#" "$1"
}

reload() { build/redisproxy ctl -s build/run/admin.sock reload >"$scratch/said" 2>&1; }

# The listener is the trio's own address, for 0.0.0.0 cannot be bound while that is in use.
serve() {
    {
        printf '[proxy]\nhttp = 127.0.0.1:8888\nadmin = %s\n' "$(readlink build/run)/admin.sock"
        sed -n '/^\[master/,/^$/p' conf/local.conf
        absolute "$1" | sed 's/0\.0\.0\.0/127.0.0.1/'
    } >build/run/proxy.conf
    reload
}

check_configuration() {
    local where=$1 block=$2 conf=$scratch/clone/checked.conf
    count=$((count + 1))
    absolute "$block" >"$conf"
    grep -q '^\[master' "$block" || printf '[master mymaster]\nsentinels = 127.0.1.1\n' >>"$conf"
    AUTH=secret build/redisproxy -t -c "$conf" >"$scratch/said" 2>&1 </dev/null ||
        complain "$where is no good configuration: $(cat "$scratch/said")"
    case $(head -n 1 "$block") in
    "# ") ;;
    "# served") serve "$block" || complain "$where cannot be served: $(cat "$scratch/said")" ;;
    *) complain "$where: after ini there may be \"served\"" ;;
    esac
}

check_document() {
    local block where
    # Commands in other forms would not be seen.
    if grep -nE '^    (\$ )?(redisproxy|redis-cli|curl|kill|systemctl) ' "$1"; then
        complain "$1: commands belong into a block that begins with \`\`\`sh"
    fi
    extract "$1"
    for block in "$scratch"/blocks/*; do
        [[ -e $block ]] || break
        where="$1:$((10#$(basename "${block%.*}")))"
        case $block in
        *.sh) run_commands "$where" "$block" ;;
        *.ini) check_configuration "$where" "$block" ;;
        *.bash | *.shell | *.console) complain "$where: ${block##*.} would not be run: write sh" ;;
        esac
    done
    if ! cmp -s build/run/proxy.conf "$scratch/proxy.conf"; then
        cp "$scratch/proxy.conf" build/run/proxy.conf
        reload || complain "$1: the proxy does not take its first configuration again"
    fi
}

make_scratch
start_trio
cp build/run/proxy.conf "$scratch/proxy.conf"
for document in "$@"; do check_document "$document"; done
((failed == 0)) || exit 1
echo "docs: $count blocks of commands and configurations, all good, in $SECONDS s"
