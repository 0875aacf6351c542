#!/bin/bash
# Builds the unit tests for arm64 with Debian's cross compiler, in a Debian of its own, and runs them under qemu-user: arm64.sh
# Needs root: debootstrap, and a user namespace in which the kernel learns to start arm64 programs by qemu
# (binfmt_misc), so that this machine does not.
#
# Left out are the tests of what qemu does not emulate: flags of memory in /proc, other users than those of the namespace, a message
# with more descriptors than there is room for; and those whose limit of 10 s is too short for an emulated processor.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
top=$(realpath "$here/../..")
left_out='^(test_secret|test_channel|test_growth|test_login_bound)$'

base=$("$here/root.sh" base bookworm)
root=$base.arm64
if [[ ! -e $root ]]; then
    rm -rf "$root.new"
    cp -a "$base" "$root.new"
    printf '#!/bin/sh\nexit 101\n' >"$root.new/usr/sbin/policy-rc.d"
    chmod 755 "$root.new/usr/sbin/policy-rc.d"
    in=("$here/root.sh" run "$root.new")
    "${in[@]}" dpkg --add-architecture arm64
    "${in[@]}" apt-get -qq update
    "${in[@]}" apt-get -qq -y --no-install-recommends install gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static make \
        pkg-config uthash-dev \
        lib{uv1,hiredis,microhttpd,inih,cjson,ssl,sodium,gnutls28,systemd,criterion}-dev:arm64 >"$root.log" 2>&1
    mv "$root.new" "$root"
fi

rm -rf "$root/root/source"
mkdir "$root/root/source"
"$top/packaging/source.sh" "$root/root/source.tar.gz"
tar -xzf "$root/root/source.tar.gz" -C "$root/root/source" --strip-components=1
programs=$(cd "$top" && ls tests/unit/*/test_*.c | sed 's,^,build/aarch64-linux-gnu/,; s,\.c$,,')
# shellcheck disable=SC2086
"$here/root.sh" run "$root" make -C /root/source CROSS=aarch64-linux-gnu all $programs >"$root.log" 2>&1 ||
    { tail -n 20 "$root.log" >&2 && exit 1; }

chosen=
for program in $programs; do
    [[ ${program##*/} =~ $left_out ]] || chosen+=" $program"
done
echo "arm64: $(wc -w <<<"$chosen") of $(wc -w <<<"$programs") test programs run under qemu"
unshare --user --map-root-user --mount bash -euc '
    root=$1
    shift
    mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
    magic="\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
    mask="\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
    printf %s ":arm64:M::$magic:$mask:/usr/bin/qemu-aarch64-static:F" >/proc/sys/fs/binfmt_misc/register
    mount --rbind /proc "$root/proc"
    mount --rbind /dev "$root/dev"
    exec chroot "$root" sh -c "cd /root/source && tests/programs.sh -l 1 $*"' run "$root" $chosen
