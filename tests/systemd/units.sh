#!/bin/bash
# Judges an installed tree: units.sh ROOT PREFIX. All that belongs there is there, systemd finds nothing wrong with the units
# (systemd-analyze verify), and what an attacker in the process could do is little (systemd-analyze security: 1.5 at
# most). The drop-in for systemd 253 and newer is judged where systemd knows its type.
set -uo pipefail
(($# == 2)) || { echo "usage: units.sh ROOT PREFIX" >&2; exit 1; }
root=$(realpath "$1") prefix=$2
units=$root$prefix/lib/systemd/system
bad=0

complain() {
    echo "units: $1" >&2
    bad=1
}

command -v systemd-analyze >/dev/null || {
    echo "units: there is no systemd-analyze: install systemd (make deps)" >&2
    exit 1
}

for file in bin/redisproxy share/doc/redisproxy/{proxy.conf,README.md,operations.md} \
    lib/systemd/system/redisproxy.{service,socket} lib/sysusers.d/redisproxy.conf lib/tmpfiles.d/redisproxy.conf; do
    [[ -s $root$prefix/$file ]] || complain "$prefix/$file is not installed"
done
[[ -x $root$prefix/bin/redisproxy ]] || complain "$prefix/bin/redisproxy cannot be executed"
grep -rl '@[A-Z]*@' "$units" && complain "a path was not filled in (above)"

# The host's own units are needed for what ours refer to. They are judged in a copy, with ours in it.
judged=$(mktemp -d)
trap 'rm -rf "$judged"' EXIT
mkdir -p "$judged/usr/lib/systemd" "$judged/bin" "$judged$prefix/bin" "$judged$prefix/share/doc"
cp -r /lib/systemd/system "$judged/usr/lib/systemd/"
ln -s usr/lib "$judged/lib"
cp -r "$units/." "$judged/usr/lib/systemd/system/"
cp -r "$root$prefix/share/doc/redisproxy" "$judged$prefix/share/doc/"
install -m 755 /dev/null "$judged/bin/kill"
cp "$root$prefix/bin/redisproxy" "$judged$prefix/bin/"

version=$(systemctl --version | awk 'NR == 1 { print $2 }')
dropin=redisproxy.service.d/notify-reload.conf
if ((version < 253)); then
    [[ ! -e $units/$dropin ]] || complain "$dropin is installed, but systemd $version does not know its type"
else
    [[ -e $units/$dropin ]] || complain "$dropin is not installed"
fi
grep -q '^Type=notify-reload$' systemd/notify-reload.conf || complain "notify-reload.conf says no Type=notify-reload"

# What it says of other units than ours is theirs.
said=$(systemd-analyze verify --root="$judged" --man=no --recursive-errors=no redisproxy.service redisproxy.socket 2>&1)
status=$?
[[ -z $said && $status == 0 ]] || complain "systemd-analyze verify ($status): $said"

exposure=$(systemd-analyze security --no-pager --offline=true --threshold=15 "$units/redisproxy.service" 2>&1) ||
    complain "systemd-analyze security: $exposure"
echo "$exposure" | tail -n 1

said=$(systemd-sysusers --dry-run "$root$prefix/lib/sysusers.d/redisproxy.conf" 2>&1) ||
    complain "systemd-sysusers does not take redisproxy.conf: $said"
mkdir -p "$judged/etc/redisproxy"
echo 'redisproxy:x:999:' >"$judged/etc/group"
echo 'redisproxy:x:999:999::/:/usr/sbin/nologin' >"$judged/etc/passwd"
echo 'root:x:0:0:root:/root:/bin/sh' >>"$judged/etc/passwd"
: >"$judged/etc/redisproxy/proxy.conf"
if ((EUID == 0)); then # it gives files to others
    systemd-tmpfiles --create --root="$judged" "$root$prefix/lib/tmpfiles.d/redisproxy.conf" ||
        complain "systemd-tmpfiles does not take redisproxy.conf"
    for wanted in '/etc/redisproxy 750 0 999' '/etc/redisproxy/proxy.conf 640 0 999'; do
        read -r path rights <<<"$wanted"
        is=$(stat -c '%a %u %g' "$judged$path")
        [[ $is == "$rights" ]] || complain "$path has $is, not $rights (mode, user, group)"
    done
fi
((bad)) || echo "units: good"
exit $bad
