#!/bin/bash
# The image, built by buildah from a base that debootstrap makes (no registry is asked), looked at, and started:
#     image.sh [PLATFORM...]       amd64 and arm64 without one
# An image of this machine's platform is asked and stopped; two builds of it, in different folders, have the same
# program bit for bit. An image of another platform is built by the cross compiler, and its program started under
# qemu-user. Needs root. It takes some minutes: packages are installed in the build as a release does it.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
top=$(realpath "$here/../..")
own=$(dpkg --print-architecture)
platforms=("$@")
(($#)) || platforms=(amd64 arm64)

fail() {
    echo "image: $1" >&2
    exit 1
}
((EUID == 0)) || fail "this needs root: debootstrap, buildah"

storage=$top/build/packaging/storage
bud=(buildah --storage-driver vfs --root "$storage" --runroot "$storage.run")
work=$(mktemp -d)
pid=
trap '[[ -z $pid ]] || kill "$pid" 2>/dev/null || true; "${bud[@]}" rm --all >/dev/null 2>&1 || true; rm -rf "$work"' EXIT

base=localhost/redisproxy-base:bookworm
"${bud[@]}" inspect --type image "$base" >/dev/null 2>&1 || {
    root=$("$here/root.sh" base bookworm)
    container=$("${bud[@]}" from scratch)
    "${bud[@]}" add -q "$container" "$root" / >/dev/null
    "${bud[@]}" commit -q "$container" "$base" >/dev/null
    "${bud[@]}" rm "$container" >/dev/null
}

"$top/packaging/source.sh" "$work/source.tar.gz"
tar -xzf "$work/source.tar.gz" -C "$work"
source=$(echo "$work"/redisproxy-*)
version=$(<"$source/VERSION")
revision=$(git -C "$top" rev-parse HEAD)
epoch=$(git -C "$top" log -1 --format=%ct)

build() { # ARCHITECTURE FOLDER TAG
    # --format docker: OCI's has no HEALTHCHECK. --layers: the packages are installed once.
    "${bud[@]}" build --isolation chroot --pull-never --layers --format docker --platform "linux/$1" \
        --build-arg BASE="$base" --build-arg BUILDPLATFORM="linux/$own" --build-arg FOLDER="$2" --build-arg SOURCE_DATE_EPOCH="$epoch" \
        --build-arg VERSION="$version" --build-arg REVISION="$revision" \
        --build-arg CREATED="$(date -u -d "@$epoch" +%Y-%m-%dT%H:%M:%SZ)" --timestamp "$epoch" \
        -t "$3" "$source" >"$top/build/packaging/image-$1.log" 2>&1 ||
        fail "it cannot be built for $1: $(tail -n 15 "$top/build/packaging/image-$1.log")"
}

mounted() { # TAG: a container of it, and where its files are
    container=$("${bud[@]}" from --pull-never "$1")
    root=$("${bud[@]}" mount "$container")
}

looked_at() { # ARCHITECTURE TAG
    local bytes said
    mounted "$2"
    bytes=$(du -sb "$root" | cut -f 1)
    ((bytes < 60 * 1024 * 1024)) || fail "$1: it has $bytes bytes, 60 MB are allowed"
    said=$(find "$root" -type f -perm /111 ! -name '*.so*' ! -path '*/usr/bin/redisproxy' -print)
    [[ -z $said ]] || fail "$1: there is something else to execute: $said"
    said=$(find "$root" -perm /6000 -print)
    [[ -z $said ]] || fail "$1: set-user-id: $said"
    said=$("${bud[@]}" inspect --type image --format \
        '{{.Docker.Config.User}}|{{.Docker.Config.Entrypoint}}|{{.Docker.Config.Healthcheck.Test}}|{{.OCIv1.Architecture}}|{{index .Docker.Config.Labels "org.opencontainers.image.version"}}' "$2")
    [[ $said == "65532:65532|[/usr/bin/redisproxy]|[CMD /usr/bin/redisproxy --check"*"|$1|$version" ]] ||
        fail "$1: its configuration is $said"
    [[ -s $root/usr/share/doc/redisproxy/sbom.spdx.json ]] || fail "$1: there is no SBOM in it"
    "$here/sbom.sh" "$root/usr/bin/redisproxy" "$root/usr/share/doc/redisproxy/sbom.spdx.json"
    echo "image: $1: $((bytes / 1024 / 1024)) MB, nothing to execute but the program; labels, user and health check are there"
}

http() { # PATH, of the proxy on 127.0.0.1:18888
    exec 3<>/dev/tcp/127.0.0.1/18888 || return 1
    printf 'GET %s HTTP/1.0\r\n\r\n' "$1" >&3
    timeout 10 head -n 1 <&3
    exec 3>&-
}

within() { # SECONDS WHAT...
    local until=$((SECONDS + $1))
    shift
    until "$@" 2>/dev/null; do
        ((SECONDS < until)) || return 1
        sleep 0.1
    done
}

healthy() {
    [[ $(http /healthz) == *' 200 '* ]]
}

# As a container runtime would: its own files only, which it cannot change, its user, and so no capability.
contained() { # ROOT PROGRAM...
    exec unshare --mount bash -euc '
        root=$1
        shift
        mount --rbind "$root" "$root"
        mount -o remount,bind,ro "$root"
        mount -t proc proc "$root/proc"
        mount --rbind /dev "$root/dev"
        mount -t tmpfs -o mode=700,uid=65532,gid=65532 tmpfs "$root/run"
        exec chroot --userspec=65532:65532 "$root" "$@"' run "$@"
}

started() { # TAG
    local conf
    mounted "$1"
    conf=$root/etc/redisproxy/proxy.conf
    printf '%s\n' '[proxy]' 'http = 127.0.0.1:18888' 'drain_timeout = 2s' '[master mymaster]' 'sentinels = 127.0.0.1:1' \
        '[listen 127.0.0.1:16379]' >"$conf"
    chmod 644 "$conf"
    contained "$root" /usr/bin/redisproxy -c /etc/redisproxy/proxy.conf 2>"$work/log" &
    pid=$!
    within 20 healthy || fail "it does not answer: $(tail -n 5 "$work/log")"
    [[ $(awk '/^Uid:/ { print $2 }' "/proc/$pid/status") == 65532 ]] || fail "it runs as another user than 65532"
    [[ $(http /readyz) == *' 200 '* || $(http /readyz) == *' 503 '* ]] || fail "/readyz answers $(http /readyz)"
    if grep -q -- --check <("$root/usr/bin/redisproxy" --help 2>/dev/null); then
        chroot --userspec=65532:65532 "$root" /usr/bin/redisproxy --check -c /etc/redisproxy/proxy.conf ||
            fail "its health check fails while it holds for its first master"
    else
        echo "image: this program has no --check yet: the health check was not run"
    fi
    kill -TERM "$pid"
    wait "$pid" || fail "stopping it gives $?"
    pid=
    ! chroot "$root" /bin/sh -c true 2>/dev/null || fail "it has a shell"
    echo "image: started as user 65532 in its own files, asked, stopped"
}

program_of() { # TAG
    mounted "$1"
    sha256sum "$root/usr/bin/redisproxy" | cut -d ' ' -f 1
}

for platform in "${platforms[@]}"; do
    tag=localhost/redisproxy:$version-$platform
    build "$platform" /src "$tag"
    looked_at "$platform" "$tag"
    if [[ $platform == "$own" ]]; then
        started "$tag"
        build "$platform" /elsewhere/and/deeper "$tag-again"
        [[ $(program_of "$tag") == "$(program_of "$tag-again")" ]] || fail "two builds differ in the program"
        echo "image: two builds in different folders have the same program"
    else
        mounted "$tag"
        cp /usr/bin/qemu-aarch64-static "$root/qemu"
        [[ $(chroot --userspec=65532:65532 "$root" /qemu /usr/bin/redisproxy --version) == "redisproxy $version" ]] ||
            fail "$platform: its program does not run under qemu"
        echo "image: $platform: its program runs under qemu, with the libraries of the image"
    fi
done
echo "image: good"
