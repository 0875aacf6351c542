# circles: files that use each other in a circle. Reads what calls.awk prints:
#
#     nm -A build/obj/proxy/*/*.o build/obj/proxy/main.o | awk -f tests/lint/calls.awk | awk -f tests/lint/circles.awk
#
# Prints for each circle its files, and for each arrow between two of them one symbol that makes it; and nothing when
# there is no circle. The exit status is 1 when there is one. A circle is a strongly connected component of more than
# one file, found as Tarjan does (SIAM Journal on Computing 1, 1972).

{
    files[$1]
    files[$2]
    uses[$1] = uses[$1] " " $2
    symbol[$1, $2] = $3
}

function least(a, b) {
    return a < b ? a : b
}

# Sorts list[1] to list[count] by name.
function sort(list, count,    i, k, held) {
    for (i = 2; i <= count; i++) {
        held = list[i]
        for (k = i - 1; k >= 1 && list[k] > held; k--)
            list[k + 1] = list[k]
        list[k + 1] = held
    }
}

function report(circle, size,    i, k) {
    sort(circle, size)
    print size " files use each other in a circle:"
    for (i = 1; i <= size; i++)
        for (k = 1; k <= size; k++)
            if ((circle[i], circle[k]) in symbol)
                print "    " circle[i] ".c -> " circle[k] ".c: " symbol[circle[i], circle[k]]
    found++
}

function visit(file,    used, count, i, to, circle, size) {
    place[file] = low[file] = ++visited
    stack[++depth] = file
    on_stack[file] = 1
    count = split(uses[file], used, " ")
    for (i = 1; i <= count; i++) {
        to = used[i]
        if (!(to in place)) {
            visit(to)
            low[file] = least(low[file], low[to])
        } else if (to in on_stack) {
            low[file] = least(low[file], place[to])
        }
    }
    if (low[file] != place[file])
        return
    size = 0
    do {
        to = stack[depth--]
        delete on_stack[to]
        circle[++size] = to
    } while (to != file)
    if (size > 1)
        report(circle, size)
}

END {
    for (file in files)
        if (!(file in place))
            visit(file)
    exit found > 0
}
