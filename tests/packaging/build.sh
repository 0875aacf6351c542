#!/bin/bash
# The Debian packages of what is committed, for a SUITE of Debian, built and judged there: build.sh SUITE. They are put into
# build/deb/SUITE. Needs root. The unit tests are left out, unless DEB_BUILD_OPTIONS says otherwise.
set -euo pipefail
suite=$1
here=$(dirname "$(realpath "$0")")
top=$(realpath "$here/../..")
root=$("$here/root.sh" build "$suite")
export DEB_BUILD_OPTIONS=${DEB_BUILD_OPTIONS-nocheck parallel=1}

"$top/packaging/source.sh" "$root/root/source.tar.gz"
cp "$top/packaging/deb.sh" "$root/root/"
"$here/root.sh" run "$root" bash /root/deb.sh /root/source.tar.gz /root/deb >"$root.log" 2>&1 || {
    tail -n 40 "$root.log" >&2
    exit 1
}
rm -rf "$top/build/deb/$suite"
mkdir -p "$top/build/deb/$suite"
find "$root/root/deb" -maxdepth 1 -type f -exec cp -t "$top/build/deb/$suite" {} +
echo "packages: $suite: built, lintian finds nothing: $(cd "$top/build/deb/$suite" && ls ./*.deb | tr '\n' ' ')"
