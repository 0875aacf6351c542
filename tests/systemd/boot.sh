#!/bin/bash
# Starts the service for real: boot.sh ROOT, an installed tree (PREFIX=/usr). A systemd of its own runs as process 1 in
# namespaces of its own, over the host's files, which it cannot change; with it a Redis and a Sentinel. Then what an operator
# does: start, look, reload, a process that hangs, socket activation, a restart under clients, stop.
# Needs root, and a machine that lets it make namespaces: it says so where that is not so. Takes 30 s.
set -euo pipefail
root=$(realpath "$1")
here=$(realpath "$0")

fail() {
    echo "boot: $1" >&2
    exit 1
}

# ---- outside ----

outside() {
    local work
    ((EUID == 0)) || fail "this needs root: namespaces, and a systemd as process 1"
    [[ -x /lib/systemd/systemd ]] || fail "there is no /lib/systemd/systemd: install systemd (make deps)"
    unshare --pid --fork --mount --uts --ipc --cgroup --net true 2>/dev/null ||
        fail "namespaces cannot be made here (unshare)"
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    : >"$work/said"
    # --kill-child: when this script ends, so does process 1 in there, and with it all others
    unshare --pid --fork --kill-child --mount --uts --ipc --cgroup --net \
        "$here" "$root" prepare "$work" >"$work/log" 2>&1 &
    local pid=$! status=0
    for ((i = 0; i < 1200; i++)); do
        [[ ! -e $work/good && ! -e $work/bad ]] && kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    cat "$work/said"
    [[ -e $work/good ]] || status=1
    kill -KILL "$pid" 2>/dev/null || true # --kill-child: and all that it started
    wait "$pid" 2>/dev/null || true
    ((status == 0)) || echo "boot: it was not good, or did not end within 2 minutes: $(tail -n 20 "$work/log")" >&2
    exit $status
}

# ---- before systemd ----

prepare() {
    local work=$1 all=/tmp/redisproxy-boot new
    ip link set lo up
    mkdir -p "$all"
    mount -t tmpfs tmpfs "$all"
    mkdir "$all/upper" "$all/overlay" "$all/root"
    new=$all/root
    mount -t overlay overlay -o "lowerdir=/,upperdir=$all/upper,workdir=$all/overlay" "$new"
    cp -r "$root/." "$new/"
    # the host's own services are not started
    rm -rf "$new"/etc/systemd/system/*.wants
    local unit
    for unit in systemd-udevd.service systemd-udev-trigger.service systemd-udevd-kernel.socket systemd-udevd-control.socket \
        systemd-networkd.service systemd-timesyncd.service systemd-logind.service systemd-resolved.service \
        systemd-random-seed.service systemd-remount-fs.service dbus.socket; do
        ln -sf /dev/null "$new/etc/systemd/system/$unit"
    done
    cat >"$new/etc/systemd/system/boot.target" <<'END'
[Unit]
Requires=basic.target
After=basic.target
Wants=boot.service
END
    cat >"$new/etc/systemd/system/boot.service" <<END
[Unit]
After=basic.target
[Service]
Type=exec
ExecStart=/boot.sh / inside $work
StandardOutput=append:$work/said
StandardError=append:$work/said
END
    mkdir -p "$new/etc/redisproxy"
    printf '%s\n' '[proxy]' 'drain_timeout = 3s' '[master mymaster]' 'sentinels = 127.0.0.1:26379' \
        >"$new/etc/redisproxy/proxy.conf"
    mount -t proc proc "$new/proc"
    mount -t sysfs sysfs "$new/sys"
    mount -t cgroup2 cgroup2 "$new/sys/fs/cgroup"
    mount -t tmpfs tmpfs "$new/run"
    mount -t tmpfs tmpfs "$new/dev"
    local device
    for device in null zero full random urandom tty; do cp -a "/dev/$device" "$new/dev/"; done
    mkdir "$new/dev/pts" "$new/dev/shm" "$new/dev/mqueue" "$new/dev/hugepages"
    mount -t devpts devpts "$new/dev/pts" -o newinstance,ptmxmode=0666
    mount -t tmpfs tmpfs "$new/dev/shm"
    ln -s pts/ptmx "$new/dev/ptmx"
    ln -s /proc/self/fd "$new/dev/fd"
    cp "$here" "$new/boot.sh"
    mkdir -p "$new$work"
    mount --bind "$work" "$new$work"
    mkdir "$new/before"
    cd "$new"
    pivot_root . before
    umount -l /before
    exec env -i container=boot PATH=/usr/sbin:/usr/bin:/sbin:/bin \
        /lib/systemd/systemd --system --unit=boot.target --show-status=no
}

# ---- inside ----

say() {
    echo "boot: $1"
}

show() {
    systemctl show -P "$1" redisproxy.service
}

ping_it() {
    [[ $(timeout 10 redis-cli -h 127.0.0.1 -p 6379 ping 2>&1) == PONG ]]
}

within() { # SECONDS WHAT...
    local until=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < until)) || return 1
        sleep 0.1
    done
}

follows_the_master() {
    [[ $(show StatusText) == *"steady, master 127.0.0.1:7000"* ]]
}

was_restarted() {
    [[ $(show NRestarts) == 1 && $(show ActiveState) == active ]]
}

# Clients that come, ask and go, until the file is gone.
visit() {
    while [[ -e $1 ]]; do
        echo x >>"$1.all"
        ping_it || echo x >>"$1.refused"
    done
}

inside() {
    local work=$1 pid
    cd /run
    redis-server --bind 127.0.0.1 --port 7000 --save '' --dir /run >/run/redis.log &
    printf '%s\n' 'bind 127.0.0.1' 'port 26379' 'sentinel monitor mymaster 127.0.0.1 7000 1' >/run/sentinel.conf
    redis-sentinel /run/sentinel.conf >/run/sentinel.log &
    within 10 redis-cli -p 7000 ping >/dev/null || fail "Redis does not start"

    systemctl start redisproxy.service || fail "it does not start: $(systemctl status --no-pager redisproxy.service)"
    within 10 ping_it || fail "it does not answer"
    pid=$(show MainPID)
    [[ $(awk '/^CapEff|^CapBnd/ { print $2 + 0 }' "/proc/$pid/status" | sort -u) == 0 ]] || fail "it has capabilities"
    grep -q '^Seccomp:.*2' "/proc/$pid/status" || fail "it has no filter of system calls"
    [[ $(stat -c %U "/proc/$pid") == redisproxy ]] || fail "it runs as $(stat -c %U "/proc/$pid")"
    [[ $(stat -c %U /run/redisproxy) == redisproxy ]] || fail "/run/redisproxy is not its own"
    within 10 follows_the_master || fail "its status is: $(show StatusText)"
    say "it runs, as redisproxy, without capabilities, in its sandbox: $(show StatusText)"

    systemctl reload redisproxy.service || fail "it cannot be reloaded"
    [[ $(show MainPID) == "$pid" && $(show ActiveState) == active ]] || fail "after a reload it is not what it was"

    kill -STOP "$pid"
    within 30 was_restarted || fail "one that hangs is not replaced: $(systemctl status --no-pager redisproxy.service)"
    within 10 ping_it || fail "after that it does not answer"
    say "one that hung was replaced"

    systemctl stop redisproxy.service
    [[ $(show Result) == success ]] || fail "stopping it was: $(show Result)"
    systemctl start redisproxy.socket || fail "its sockets cannot be bound"
    [[ $(show ActiveState) == inactive ]] || fail "it was started before anybody came"
    ping_it || fail "who comes is not served"
    [[ $(show ActiveState) == active ]] || fail "something else answers"
    touch /run/visits
    visit /run/visits &
    visit /run/visits &
    for _ in 1 2 3; do
        systemctl restart redisproxy.service || fail "it cannot be restarted"
        sleep 0.5
    done
    rm /run/visits
    wait %3 %4
    [[ ! -e /run/visits.refused ]] || fail "$(wc -l </run/visits.refused) of $(wc -l </run/visits.all) were refused"
    say "three restarts, $(wc -l </run/visits.all) clients, none was refused"

    systemctl stop redisproxy.socket redisproxy.service
    [[ $(show Result) == success && $(show ExecMainStatus) == 0 ]] || fail "stopping it was: $(show Result)"
    touch "$work/good"
    say good
}

case ${2:-outside} in
prepare) prepare "$3" ;;
inside)
    folder=$3
    trap 'touch "$folder/bad"' EXIT
    inside "$folder"
    trap - EXIT
    ;;
*) outside ;;
esac
