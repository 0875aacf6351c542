#!/bin/bash
# What README.md, docs/ and the rooms' READMEs name exists: documents.sh DOCUMENT...
#   - a file, by its path or the end of it. A * stands for a part of a name. What is in build/ is not asked about;
#   - `function()`, where it is defined (recv() and send() are the kernel's);
#   - `struct name`, `enum name` and `name_with_underscores`, as a word somewhere in the sources;
#   - what a link leads to: a file, and a heading in it;
#   - in commands: targets of the Makefile, tests (T=), scenarios (SCENARIO=), options of redisproxy, and verbs of
#     "redisproxy ctl".
# So the documents name no files of other projects. Of what comments in the sources name, the files in tests/ and docs/ are
# looked for. Whether the commands work is another question: tests/docs/run.sh.
set -euo pipefail
export LC_ALL=C

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
grep -rhoE '[A-Za-z_][A-Za-z0-9_]*' include proxy tests --include='*.[ch]' --include='*.def' | sort -u >"$dir/words"
{
    grep -rhoE '^[a-z][A-Za-z0-9_ *]*\(' include proxy tests/system/scenario --include='*.[ch]' |
        grep -oE '[a-z_][a-z0-9_]*\($' | tr -d '('
    printf '%s\n' recv send
} | sort -u >"$dir/functions"
find . -path ./build -prune -o -path ./.git -prune -o -path '*/node_modules' -prune -o -type f -print |
    sed 's|^\./||' >"$dir/files"
# Each file by its path, and by every end of it.
awk '{ print; while (sub("^[^/]*/", "")) print }' "$dir/files" | sort -u >"$dir/ends"
{
    grep -oE '^[a-z][a-z0-9 -]*:' Makefile | tr -d ':' | tr ' ' '\n'
    sed -n 's/^FUZZERS := //p' Makefile | tr ' ' '\n' | sed 's/^/fuzz-/'
} | sort -u >"$dir/targets"
sed -n 's|.*/test_\(.*\)\.c$|\1|p' "$dir/files" | sort -u >"$dir/tests"
grep -rhoE '\.name = "[a-z0-9-]+"' tests/system/scenario | cut -d'"' -f2 | sort -u >"$dir/scenarios"
{
    grep -oE '\{\.name = "[a-z-]+"' proxy/ops/verb.c | cut -d'"' -f2
    echo help # ctl answers it without a proxy
} | sort -u >"$dir/verbs"
# The names of the program's options are somewhere between quotes, alone or with others.
grep -rhoE '"(-?-?[a-z][a-z-]+ ?)+"' proxy --include='*.c' | tr -d '"' | tr ' ' '\n' | sed 's/^-*//' | sort -u >"$dir/options"
bad=0

complain() {
    echo "$1" >&2
    bad=1
}

# known LIST WHAT: complains of each word of the standard input that is not in that list.
known() {
    local word
    while read -r word; do
        complain "$document: there is no $2 $word"
    done < <(sed '/^$/d' | sort -u | comm -23 - "$dir/$1")
}

# files_exist: the same for files.
files_exist() {
    local names pattern
    names=$(sed 's|^.*\.\./||' | sort -u)
    known ends "file" < <(grep -vF '*' <<<"$names")
    while read -r pattern; do
        grep -qE "(^|/)$(sed 's/\./\\./g; s|\*|[^/]*|g' <<<"$pattern")\$" "$dir/files" ||
            complain "$document: there is no file $pattern"
    done < <(grep -F '*' <<<"$names")
}

# ---- names ----

check_names() {
    files_exist < <(grep -oE '[A-Za-z0-9_*./-]*[A-Za-z0-9_*]\.(c|h|def|awk|sh|py|js|conf|md|svg|txt|json)\b' <<<"$text" |
        grep -vE '^build/|^(Node\.js|helm\.sh)$')
    known functions "function" < <(grep -oE '\b[a-z_][a-z0-9_]*\(\)' <<<"$text" | tr -d '()')
    known words "word in the sources like" < <(
        grep -oE '\b(struct|enum) [a-z][a-z0-9_]*' <<<"$text" | sed 's/.* //'
        grep -oE '`[a-z][a-z0-9]*_[a-z0-9_]*`' <<<"$text" | tr -d '\`'
    )
}

# ---- links ----

# The anchors of a document's headings, as GitHub makes them.
anchors_of() {
    sed '/^```/,/^```$/d' "$1" | sed -nE 's/^#{1,6} +//p' | sed -E 's/\[([^]]*)\]\([^)]*\)/\1/g' |
        tr '[:upper:]' '[:lower:]' | sed -E 's/[^a-z0-9 _-]//g; s/ /-/g' |
        awk '{ n = seen[$0]++; print n ? $0 "-" n : $0 }'
}

check_link() {
    local path=${1%%#*} anchor='' target=$document
    [[ $1 != *#* ]] || anchor=${1#*#}
    [[ -z $path ]] || target=$(dirname "$document")/$path
    if [[ ! -e $target ]]; then
        complain "$document: the link $1 leads to nothing"
    elif [[ -n $anchor ]] && ! grep -qxF -- "$anchor" < <(anchors_of "$target"); then
        complain "$document: the link $1 leads to no heading"
    fi
}

check_links() {
    local link
    while read -r link; do
        check_link "$link"
    done < <(sed '/^```/,/^```$/d' <<<"$text" | grep -oE '\]\([^)]*\)' | sed 's/^](//; s/)$//' |
        grep -vE '^[a-z]+:' | sort -u)
}

# ---- commands ----

# All that is code: fenced, indented, or between backticks.
code() {
    awk '/^```/ { fenced = !fenced; next } fenced || /^    [^ ]/' <<<"$text"
    sed '/^```/,/^```$/d' <<<"$text" | grep -oE '`[^`]+`' | tr -d '\`'
}

check_commands() {
    local made
    made=$(code | grep -E '(^| |&& )make [a-z]' | sed 's/#.*//' || true)
    known targets "target of the Makefile" < <(grep -oE '\bmake [a-z][a-z0-9-]*' <<<"$made" | sed 's/make //')
    known tests "test" < <(grep -oE ' T=[a-z_0-9]+' <<<"$made" | sed 's/ T=//' | grep -vx name)
    known scenarios "scenario" < <(grep -oE 'SCENARIO=("[^"]*"|[a-z][a-z-]*)' <<<"$made" | sed 's/SCENARIO=//; s/"//g' | tr ' ' '\n')
    known verbs "verb of ctl" < <(code | grep -oE 'redisproxy ctl( -s [^ ]+| -c [^ ]+| --json)* [a-z][a-z-]*' |
        sed 's/.* //')
    known options "option of redisproxy" < <(code | grep -vE "^ *(helm|kubectl) " | grep -oE '\bredisproxy [^|&#]*' | grep -oE ' --[a-z][a-z-]*' | sed 's/ --//')
}

for document in "$@"; do
    text=$(sed '/^```c$/,/^```$/d' "$document") # examples in C are made up
    check_names
    check_links
    check_commands
done
(($(wc -l <README.md) < 150)) || complain "README.md: for somebody who has five minutes: under 150 lines"
document="a comment in the sources"
files_exist < <(grep -rhoE '(tests|docs)/[A-Za-z0-9_*./-]*\.(c|h|awk|sh|py|js|txt|md|svg)\b' \
    include proxy tests conf systemd Makefile --include='*.[ch]' --include='*.def' --include='*.sh' \
    --include='*.conf' --include='*.yml' --include='*.json' --include=Makefile)
exit "$bad"
