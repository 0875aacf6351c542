#!/bin/bash
# The Debian package, as somebody lives with it: packages.sh SUITE DEB. In a Debian of its own (root.sh), under a systemd of its
# own in namespaces: installed, configured, started, upgraded under load, upgraded to a version that cannot start, removed and
# purged. Needs root, and a machine that lets it make namespaces. Takes a minute when the Debian is there.
set -euo pipefail
self=$(realpath "$0")

fail() {
    echo "packages: $1" >&2
    exit 1
}

# ---- outside ----

# The same package as if it were a later version, whose program says so; WHY=broken: whose program ends at once.
later_version() { # DEB VERSION TO [broken]
    local folder=$work/unpacked
    rm -rf "$folder"
    dpkg-deb -R "$1" "$folder"
    sed -i "s/^Version: .*/Version: $2/" "$folder/DEBIAN/control"
    if [[ ${4:-} == broken ]]; then
        printf '#!/bin/sh\nexit 1\n' >"$folder/usr/bin/redisproxy"
    else
        sed -i "s/\b${version//./\\.}\b/$2/g" "$folder/usr/bin/redisproxy"
    fi
    (cd "$folder" && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | xargs -0 md5sum >DEBIAN/md5sums)
    dpkg-deb --root-owner-group -b "$folder" "$3" >/dev/null
}

outside() {
    local suite=$1 deb=$2 root status=0
    ((EUID == 0)) || fail "this needs root: namespaces, and a systemd as process 1"
    root=$("${self%/*}/root.sh" base "$suite")
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    version=$(dpkg-deb -f "$deb" Version)
    version=${version%%+*}
    [[ $version =~ ^(.*)([0-8])$ ]] || fail "the version $version ends neither with a digit of 0 to 8"
    local later=${BASH_REMATCH[1]}$((BASH_REMATCH[2] + 1))
    cp "$deb" "$work/now.deb"
    later_version "$deb" "$later" "$work/later.deb"
    later_version "$deb" "$later.1" "$work/broken.deb" broken
    echo "$later" >"$work/later"
    # In there is no network: what the package depends on is fetched before.
    cp "$work/now.deb" "$root/tmp/now.deb"
    "${self%/*}/root.sh" run "$root" apt-get -qq -y --no-install-recommends --download-only install /tmp/now.deb \
        >"$work/log" 2>&1 || fail "what it depends on is not to be had: $(tail -n 5 "$work/log")"
    : >"$work/said"
    unshare --pid --fork --kill-child --mount --uts --ipc --cgroup --net \
        "$self" prepare "$root" "$work" >>"$work/log" 2>&1 &
    local pid=$!
    for ((i = 0; i < 6000; i++)); do
        [[ ! -e $work/good && ! -e $work/bad ]] && kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    cat "$work/said"
    [[ -e $work/good ]] || status=1
    kill -KILL "$pid" 2>/dev/null || true # --kill-child: and all that it started
    wait "$pid" 2>/dev/null || true
    ((status == 0)) || echo "packages: it was not good, or did not end in time: $(tail -n 20 "$work/log")" >&2
    exit $status
}

# ---- before systemd: as tests/systemd/boot.sh, over a Debian of its own ----

prepare() {
    local root=$1 work=$2 all=$2/all new unit device
    ip link set lo up
    mkdir "$all"
    mount -t tmpfs tmpfs "$all"
    mkdir "$all/upper" "$all/overlay" "$all/root"
    new=$all/root
    mount -t overlay overlay -o "lowerdir=$root,upperdir=$all/upper,workdir=$all/overlay" "$new"
    rm -rf "$new"/etc/systemd/system/*.wants
    for unit in systemd-udevd.service systemd-udev-trigger.service systemd-udevd-kernel.socket systemd-udevd-control.socket \
        systemd-networkd.service systemd-timesyncd.service systemd-logind.service systemd-resolved.service \
        systemd-random-seed.service systemd-remount-fs.service dbus.socket; do
        ln -sf /dev/null "$new/etc/systemd/system/$unit"
    done
    printf '%s\n' '[Unit]' 'Requires=basic.target' 'After=basic.target' 'Wants=boot.service' \
        >"$new/etc/systemd/system/boot.target"
    printf '%s\n' '[Unit]' 'After=basic.target' '[Service]' 'Type=exec' "ExecStart=/packages.sh inside $work" \
        "StandardOutput=append:$work/said" "StandardError=append:$work/said" >"$new/etc/systemd/system/boot.service"
    mount -t proc proc "$new/proc"
    mount -t sysfs sysfs "$new/sys"
    mount -t cgroup2 cgroup2 "$new/sys/fs/cgroup"
    mount -t tmpfs tmpfs "$new/run"
    mount -t tmpfs tmpfs "$new/dev"
    for device in null zero full random urandom tty; do cp -a "/dev/$device" "$new/dev/"; done
    mkdir "$new/dev/pts" "$new/dev/shm" "$new/dev/mqueue" "$new/dev/hugepages"
    mount -t devpts devpts "$new/dev/pts" -o newinstance,ptmxmode=0666
    mount -t tmpfs tmpfs "$new/dev/shm"
    ln -s pts/ptmx "$new/dev/ptmx"
    ln -s /proc/self/fd "$new/dev/fd"
    cp "$self" "$new/packages.sh"
    mkdir -p "$new$work" "$new/before"
    mount --bind "$work" "$new$work"
    cd "$new"
    pivot_root . before
    umount -l /before
    exec env -i container=boot PATH=/usr/sbin:/usr/bin:/sbin:/bin \
        /lib/systemd/systemd --system --unit=boot.target --show-status=no
}

# ---- inside ----

say() {
    echo "packages: $1"
}

within() { # SECONDS WHAT...
    local until=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < until)) || return 1
        sleep 0.1
    done
}

show() {
    systemctl show -P "$1" redisproxy.service
}

ask() {
    timeout 20 redis-cli -p 6379 "$@" 2>&1
}

proxy_version() {
    ask info redisproxy | tr -d '\r' | sed -n 's/^redisproxy_version://p'
}

answers() {
    [[ $(ask ping) == PONG ]]
}

follows_the_master() {
    [[ $(show StatusText) == *"steady, master 127.0.0.1:7000"* ]]
}

one_process() {
    [[ $(pgrep -xc redisproxy) == 1 ]]
}

apt() {
    DEBIAN_FRONTEND=noninteractive apt-get -y --no-install-recommends "$@" >>/run/apt.log 2>&1 ||
        fail "apt-get $* fails: $(tail -n 20 /run/apt.log)"
}

# One client that stays: it increments, and writes down what it is answered. Clients that come and go write down the rest.
stay() {
    while [[ -e /run/load ]]; do echo incr stayed; done | redis-cli -p 6379 >/run/stayed 2>&1
}

visit() {
    while [[ -e /run/load ]]; do
        ask incr visited >>/run/visited
    done
}

inside() {
    local work=$1 pid later
    later=$(<"$work/later")
    cd /run
    redis-server --bind 127.0.0.1 --port 7000 --save '' --dir /run >/run/redis.log &
    printf '%s\n' 'bind 127.0.0.1' 'port 26379' 'sentinel monitor mymaster 127.0.0.1 7000 1' >/run/sentinel.conf
    redis-sentinel /run/sentinel.conf >/run/sentinel.log &
    within 20 redis-cli -p 7000 ping &>/dev/null || fail "Redis does not start"

    apt install "$work/now.deb"
    [[ $(show ActiveState) == inactive ]] || fail "it was started before it was configured"
    [[ $(stat -c '%a %U %G' /etc/redisproxy/proxy.conf) == '640 root redisproxy' ]] ||
        fail "proxy.conf is $(stat -c '%a %U %G' /etc/redisproxy/proxy.conf)"
    for file in /usr/share/man/man1/redisproxy.1.gz /usr/share/man/man5/proxy.conf.5.gz \
        /usr/share/bash-completion/completions/redisproxy /usr/share/zsh/vendor-completions/_redisproxy \
        /usr/share/doc/redisproxy/copyright /usr/share/doc/redisproxy/operations.md; do
        # minimal systems leave documents out when they install
        [[ -e $file ]] || dpkg -L redisproxy | grep -qxF "$file" || fail "$file is not in the package"
    done
    redisproxy -t -c /etc/redisproxy/proxy.conf >/dev/null || fail "the configuration that comes with it is not good"
    systemctl enable --quiet --now redisproxy.service || fail "it does not start: $(systemctl status --no-pager redisproxy)"
    within 20 answers || fail "it does not answer"
    within 20 follows_the_master || fail "its status is: $(show StatusText)"
    pid=$(show MainPID)
    [[ $(stat -c %U "/proc/$pid") == redisproxy ]] || fail "it runs as $(stat -c %U "/proc/$pid")"
    say "installed and started: $(proxy_version), $(show StatusText)"

    touch /run/load
    stay &
    visit &
    visit &
    within 20 test -s /run/visited || fail "there is no load"
    apt install "$work/later.deb"
    [[ $(show MainPID) != "$pid" ]] || fail "the process before goes on: $(tail -n 5 /run/apt.log)"
    [[ $(show ActiveState) == active ]] || fail "after the upgrade it is $(show ActiveState)"
    [[ $(proxy_version) == "$later" ]] || fail "after the upgrade there is version $(proxy_version)"
    within 30 one_process || fail "there are $(pgrep -xc redisproxy) processes"
    pid=$(show MainPID)
    say "upgraded under load to $later: another process, nobody restarted it ($(show NRestarts))"

    apt install "$work/broken.deb"
    [[ $(show MainPID) == "$pid" ]] || fail "a version that cannot start has ended the one before"
    grep -q 'did not take over; the one before goes on' /run/apt.log || fail "nobody was told that it did not take over"
    [[ $(proxy_version) == "$later" ]] || fail "now there is version $(proxy_version)"
    say "a version that cannot start changes nothing, and says so"

    rm /run/load
    wait %3 %4 %5
    local lines
    for lines in stayed visited; do
        ! grep -vxE '[0-9]+' "/run/$lines" >/run/wrong || fail "$lines: $(wc -l </run/wrong) were not served: $(head -n 3 /run/wrong)"
        [[ $(ask get $lines) == $(wc -l <"/run/$lines") ]] || fail "$lines: $(ask get $lines) in Redis, $(wc -l <"/run/$lines") answers"
    done
    say "$(wc -l </run/stayed) requests of a client that stayed, $(wc -l </run/visited) that came and went: all served once"

    apt install --allow-downgrades "$work/now.deb"
    within 30 one_process || fail "there are $(pgrep -xc redisproxy) processes"
    apt remove redisproxy
    [[ $(pgrep -xc redisproxy) == 0 ]] || fail "it runs on after it was removed"
    [[ -e /etc/redisproxy/proxy.conf ]] || fail "removing it took its configuration"
    touch /var/lib/redisproxy/history /var/lib/private/redisproxy/history 2>/dev/null || true
    apt purge redisproxy
    local left
    left=$(find / -xdev \( -path /proc -o -path /sys -o -path /run -o -path "$work" -o -path /var/log -o -path /tmp \) -prune -o \
        -iname '*redisproxy*' -print)
    [[ -z $left ]] || fail "left behind: $left"
    [[ $(dpkg-query -W -f '${db:Status-Status}' redisproxy 2>/dev/null || echo gone) != installed ]] || fail "dpkg has it still"
    [[ -z $(systemctl list-unit-files --no-legend 'redisproxy*') ]] || fail "systemd has its units still"
    say "removed and purged, nothing is left"
    touch "$work/good"
    say good
}

case ${1:-} in
prepare) prepare "$2" "$3" ;;
inside)
    folder=$2
    trap 'touch "$folder/bad"' EXIT
    inside "$folder"
    trap - EXIT
    ;;
*)
    (($# == 2)) || fail "usage: packages.sh SUITE DEB"
    outside "$1" "$(realpath "$2")"
    ;;
esac
