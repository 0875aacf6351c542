#!/bin/bash
# A Debian in a folder, made by debootstrap once and kept in build/packaging:
#     root.sh base SUITE       what a host has: systemd, and Redis to test with; prints the folder
#     root.sh build SUITE      the same and what packages are built with
#     root.sh run FOLDER COMMAND...   in namespaces of its own, so that nothing stays mounted or running
# Needs root.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
self=$(realpath "$0")

fail() {
    echo "root: $1" >&2
    exit 1
}
((EUID == 0)) || fail "this needs root: debootstrap, chroot"

run() {
    local root=$1
    shift
    unshare --mount --pid --fork --kill-child bash -euc '
        root=$1
        shift
        mount -t proc proc "$root/proc"
        [[ -c $root/dev/null ]] || mount --rbind /dev "$root/dev"
        cp -L /etc/resolv.conf "$root/etc/resolv.conf"
        exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
            DEBIAN_FRONTEND=noninteractive DEB_BUILD_OPTIONS="${DEB_BUILD_OPTIONS:-}" "$@"' run "$root" "$@"
}

# A folder that is there was finished.
make_root() { # FOLDER, and how
    local root=$1
    shift
    [[ ! -e $root ]] || return 0
    rm -rf "$root.new"
    mkdir -p "${root%/*}"
    "$@" "$root.new" >"$root.log" 2>&1 || fail "$root cannot be made: $(tail -n 5 "$root.log"); see $root.log"
    mv "$root.new" "$root"
}

install() { # ROOT PACKAGE...
    local root=$1
    shift
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod 755 "$root/usr/sbin/policy-rc.d"
    run "$root" apt-get -qq update
    run "$root" apt-get -qq -y --no-install-recommends install "$@"
    rm "$root/usr/sbin/policy-rc.d"
}

base() {
    debootstrap --variant=minbase --include=ca-certificates "$suite" "$1"
    install "$1" systemd systemd-sysv redis-server redis-sentinel redis-tools iproute2 procps
}

build() {
    cp -a "$(bash "$self" base "$suite")" "$1"
    install "$1" build-essential fakeroot lintian man-db
    mkdir "$1/root/redisproxy"
    cp -r "$top/debian" "$1/root/redisproxy/"
    run "$1" sh -c 'cd /root/redisproxy && apt-get -qq -y --no-install-recommends build-dep .'
    rm -r "$1/root/redisproxy"
}

case ${1:-} in
base | build)
    suite=$2
    root=$top/build/packaging/$suite
    [[ $1 == base ]] || root=$root.build
    make_root "$root" "$1"
    echo "$root"
    ;;
run)
    shift
    run "$@"
    ;;
*) fail "usage: root.sh base|build SUITE, or run FOLDER COMMAND..." ;;
esac
