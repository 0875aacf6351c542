#!/bin/bash
# What README.md, docs/ and the rooms' READMEs name exists: documents.sh DOCUMENT...
#   - a file, by its path or the end of it. A * stands for a part of a name. What is in build/ is not asked about;
#   - `function()`, where it is defined (recv() and send() are the kernel's);
#   - `struct name`, `enum name` and `name_with_underscores`, as a word somewhere in the sources.
# So the documents name no files of other projects. Of what comments in the sources name, the files in tests/ are looked for.
set -euo pipefail

words=$(mktemp)
functions=$(mktemp)
files=$(mktemp)
trap 'rm -f "$words" "$functions" "$files"' EXIT
grep -rhoE '[A-Za-z_][A-Za-z0-9_]*' include proxy tests --include='*.[ch]' --include='*.def' | sort -u >"$words"
{
    grep -rhoE '^[a-z][A-Za-z0-9_ *]*\(' include proxy tests/system/scenario --include='*.[ch]' |
        grep -oE '[a-z_][a-z0-9_]*\($' | tr -d '('
    printf '%s\n' recv send
} | sort -u >"$functions"
find . -path ./build -prune -o -path ./.git -prune -o -type f -print | sed 's|^\./||' >"$files"
bad=0

complain() {
    echo "$1" >&2
    bad=1
}

file_exists() {
    local pattern=${1//./\\.}
    pattern=${pattern//\*/[^/]*}
    grep -qE "(^|/)$pattern\$" "$files"
}

for document in "$@"; do
    text=$(sed '/^```c$/,/^```$/d' "$document") # examples in C are made up
    while read -r file; do
        file_exists "$file" || complain "$document: there is no file $file"
    done < <(grep -oE '[A-Za-z0-9_*./-]*[A-Za-z0-9_*]\.(c|h|def|awk|sh|py|js|conf|md|svg|txt|json)\b' <<<"$text" |
        grep -vE '^build/|^(Node\.js|helm\.sh)$' | sort -u)
    while read -r function; do
        grep -qx "$function" "$functions" || complain "$document: there is no function $function()"
    done < <(grep -oE '\b[a-z_][a-z0-9_]*\(\)' <<<"$text" | tr -d '()' | sort -u)
    while read -r word; do
        grep -qx "$word" "$words" || complain "$document: the sources do not have the word $word"
    done < <({
        grep -oE '\b(struct|enum) [a-z][a-z0-9_]*' <<<"$text" | sed 's/.* //'
        grep -oE '`[a-z][a-z0-9]*_[a-z0-9_]*`' <<<"$text" | tr -d '\`'
    } | sort -u)
done
while IFS=: read -r source file; do
    file_exists "$file" || complain "$source: there is no file $file"
done < <(grep -roE 'tests/[A-Za-z0-9_*./-]*\.(c|h|awk|sh|py|js|txt)\b' include proxy --include='*.[ch]' --include='*.def')
exit "$bad"
