#!/bin/bash
# The sources as they are committed, in a tarball that is the same wherever it is made: source.sh FILE.tar.gz
set -euo pipefail
(($# == 1)) || { echo "usage: source.sh FILE.tar.gz" >&2; exit 1; }
to=$(realpath -m "$1")
cd "$(dirname "$0")/.."
git rev-parse --git-dir >/dev/null || { echo "source: this is no clone of the repository" >&2; exit 1; }
git diff --quiet HEAD -- || echo "source: what is not committed is not in it" >&2
mkdir -p "${to%/*}"
git archive --format=tar --prefix="redisproxy-$(git show HEAD:VERSION)/" HEAD | gzip -9n >"$to.new"
mv "$to.new" "$to"
