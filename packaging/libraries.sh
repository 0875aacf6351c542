#!/bin/bash
# The shared libraries that a program needs, and those that they need, one path a line, with the loader: libraries.sh PROGRAM.
# Nothing is executed, so that it works for a program of another machine, too (ldd does not), as long as Debian's
# libraries for that machine are installed.
set -euo pipefail
(($# == 1)) || { echo "usage: libraries.sh PROGRAM" >&2; exit 1; }

loader=$(readelf -lW "$1" | sed -n 's/.*program interpreter: \(.*\)\]/\1/p')
[[ -n $loader ]] || { echo "libraries: $1 is no program with shared libraries" >&2; exit 1; }
machine=$(readelf -hW "$1" | sed -n 's/ *Machine: *//p')
case $machine in
*X86-64*) triplet=x86_64-linux-gnu ;;
AArch64) triplet=aarch64-linux-gnu ;;
*) triplet=$(gcc -dumpmachine) ;;
esac

declare -A seen=()
visit() {
    local name path folder
    while read -r name; do
        [[ -z ${seen[$name]:-} ]] || continue
        path=
        for folder in /usr/lib/$triplet /lib/$triplet /usr/lib /lib /lib64; do
            [[ ! -e $folder/$name ]] || { path=$folder/$name && break; }
        done
        [[ -n $path ]] || { echo "libraries: $1 needs $name, which is not installed for $triplet" >&2; exit 1; }
        seen[$name]=$path
        visit "$path"
    done < <(readelf -dW "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
}

visit "$1"
seen[${loader##*/}]=$loader
printf '%s\n' "${seen[@]}" | LC_ALL=C sort
