#!/bin/bash
# Makes the file system of the image: rootfs.sh PROGRAM VERSION FOLDER. In it are the program, the shared libraries that it
# needs with their copyright files, certificate authorities, and what the C library wants to read. No shell, no
# package manager: nothing in there can be executed but the program.
# Scanners find the libraries' versions in var/lib/dpkg/status.d, as in other images without a package manager.
set -euo pipefail
(($# == 3)) || { echo "usage: rootfs.sh PROGRAM VERSION FOLDER" >&2; exit 1; }
program=$1 version=$2 root=$3
here=$(dirname "$0")
user=65532

mkdir -p "$root"/{dev,proc,sys,etc/ssl/certs,etc/redisproxy,run/redisproxy,tmp,usr/bin,usr/lib/ssl,usr/lib64,usr/share/doc/redisproxy} \
    "$root"/var/lib/{redisproxy,dpkg/status.d}
ln -s usr/lib "$root/lib"
ln -s usr/lib64 "$root/lib64"
ln -s ../run "$root/var/run"

install -m 755 "$program" "$root/usr/bin/redisproxy"
"$here/libraries.sh" "$program" | while read -r path; do
    # The loader stands below /lib or /lib64, which are links here.
    target=$root/usr/${path#/}
    target=${target/\/usr\/usr\//\/usr\/}
    mkdir -p "${target%/*}"
    cp -L "$path" "$target"
done

"$here/owners.sh" "$program" | cut -d ' ' -f 1 | sort -u | while read -r package; do
    name=${package%%:*}
    dpkg-query -s "$package" >"$root/var/lib/dpkg/status.d/$name"
    mkdir -p "$root/usr/share/doc/$name"
    cp -L "/usr/share/doc/$name/copyright" "$root/usr/share/doc/$name/"
done
cp LICENSE "$root/usr/share/doc/redisproxy/"
"$here/sbom.sh" "$program" "$version" >"$root/usr/share/doc/redisproxy/sbom.spdx.json"

# Where OpenSSL and GnuTLS look for certificate authorities.
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
ln -s /etc/ssl/certs "$root/usr/lib/ssl/certs"
ln -s /etc/ssl/certs/ca-certificates.crt "$root/usr/lib/ssl/cert.pem"
cp /etc/os-release "$root/usr/lib/os-release"
ln -s ../usr/lib/os-release "$root/etc/os-release"

echo '; Mount your own file over this one, or give settings by the environment (redisproxy --help).' >"$root/etc/redisproxy/proxy.conf"
printf '%s\n' 'root:x:0:0:root:/:/nonexistent' "redisproxy:x:$user:$user::/var/lib/redisproxy:/nonexistent" >"$root/etc/passwd"
printf '%s\n' 'root:x:0:' "redisproxy:x:$user:" >"$root/etc/group"
printf '%s\n' 'passwd: files' 'group: files' 'hosts: files dns' >"$root/etc/nsswitch.conf"
chown "$user:$user" "$root/run/redisproxy" "$root/var/lib/redisproxy"
chmod 1777 "$root/tmp"
# One time for all files: the same program and libraries give the same layer.
find "$root" -exec touch -h -d "@${SOURCE_DATE_EPOCH:-0}" {} +
