#!/bin/bash
# The version stands in VERSION. What has it, too, because its format wants it, must have the same: the changelogs, and the
# program: version.sh PROGRAM
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
version=$(<VERSION) bad=0

same() { # WHERE WHAT
    [[ $2 == "$version" ]] || { echo "version: VERSION has $version, $1 has ${2:-none}" >&2 && bad=1; }
}

[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || { echo "version: $version is not three numbers" >&2 && bad=1; }
same debian/changelog "$(sed -n '1s/.*(\([^)]*\)).*/\1/p' debian/changelog)"
same CHANGELOG.md "$(sed -n 's/^## \[\([0-9][^]]*\)\].*/\1/p' CHANGELOG.md | head -n 1)"
same "$1 --version" "$("$1" --version | sed -n 's/^redisproxy //p')"
for page in redisproxy.1 proxy.conf.5; do
    same "the man page $page" "$("$1" --print $page | sed -n '1s/.*"redisproxy \([^"]*\)".*/\1/p')"
done
((bad)) || echo "version: $version everywhere"
exit $bad
