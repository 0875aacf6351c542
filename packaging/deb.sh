#!/bin/bash
# Debian packages of a source tarball, for the Debian that this runs on, judged by lintian: deb.sh FILE.tar.gz FOLDER.
# DEB_BUILD_OPTIONS=nocheck leaves the unit tests out.
set -euo pipefail
(($# == 2)) || { echo "usage: deb.sh FILE.tar.gz FOLDER" >&2; exit 1; }
tarball=$(realpath "$1") folder=$(realpath -m "$2")

rm -rf "$folder"
mkdir -p "$folder"
cd "$folder"
tar -xzf "$tarball"
cd redisproxy-*/
has=$(dpkg-parsechangelog -S Version)
[[ $has == "$(<VERSION)" ]] || { echo "deb: debian/changelog has version $has, VERSION has $(<VERSION): make both the same" >&2; exit 1; }
dpkg-buildpackage -us -uc --no-sign
cd ..
as_root=()
((EUID != 0)) || as_root=(--allow-root)
lintian "${as_root[@]}" --fail-on error,warning,info --display-info *.changes
echo "deb: $(ls "$folder"/*.deb)"
