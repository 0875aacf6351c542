#!/bin/bash
# The man pages and the completions: manual.sh PROGRAM, which prints them. They have no warnings, they are about everything
# that the program has, and bash offers what is expected.
set -euo pipefail
(($# == 1)) || { echo "usage: manual.sh PROGRAM" >&2; exit 1; }
program=$(realpath "$1")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
bad=0

complain() {
    echo "$1" >&2
    bad=1
}

for page in redisproxy.1 proxy.conf.5 bash zsh; do
    "$program" --print "$page" >"$dir/$page" || complain "there is no $page"
done

for page in redisproxy.1 proxy.conf.5; do
    warnings=$(groff -ww -man -Tutf8 -z "$dir/$page" 2>&1; mandoc -T lint -W warning "$dir/$page" 2>&1) || true
    [[ -z $warnings ]] || complain "$warnings"
done
bash -n "$dir/bash" || bad=1
zsh -n "$dir/zsh" || bad=1

# Every verb of "ctl help", and every setting of --help, stands in its page.
text() { groff -man -Tascii -P-cbou "$dir/$1"; }
text redisproxy.1 >"$dir/one"
text proxy.conf.5 >"$dir/five"
verbs=$("$program" ctl help | sed -n 's/^  \([a-z-]*\).*/\1/p' | sed '/^$/d')
settings=$("$program" --help | sed -n 's/^  \([a-z_]*\) .*/\1/p' | sed '/^$/d')
[[ $(wc -l <<<"$verbs") -ge 15 && $(wc -l <<<"$settings") -ge 50 ]] || complain "too few verbs or settings are told"
for verb in $verbs; do
    grep -q -- "^ *$verb" "$dir/one" || complain "redisproxy.1 lacks $verb"
done
for setting in $settings; do
    grep -q -- "^ *$setting " "$dir/five" || complain "proxy.conf.5 lacks $setting"
done

# offers WANTED WORD...: what bash completes the last word to.
offers() {
    local wanted=$1
    shift
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    _redisproxy
    [[ "${COMPREPLY[*]}" == "$wanted" ]] || complain "bash completes $* to ${COMPREPLY[*]}, not to $wanted"
}
set +e +o pipefail # as in the shell of somebody who types
# shellcheck disable=SC1091
source "$dir/bash"
offers "status" redisproxy ctl stat
offers "resume reconnect rebalance reload" redisproxy ctl re
offers "--to --timeout" redisproxy ctl switchover --t
offers "hold_timeout hold_memory" redisproxy ctl config get hold
offers "debug" redisproxy ctl -s /nowhere log-level d
offers "" redisproxy ctl pause g

exit "$bad"
