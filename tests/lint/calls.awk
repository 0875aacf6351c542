# calls: which file uses what of which other file, from the symbols of the product's objects:
#
#     nm -A build/obj/proxy/*/*.o build/obj/proxy/main.o | awk -f tests/lint/calls.awk
#
# A file uses another one when it leaves a symbol undefined that the other one defines: it calls a function of it,
# or reads a table of it. Calls through a pointer are not seen, and are not meant to be: they are how a room calls
# one above it. Prints a line for each pair of files, with the first such symbol:
#
#     session/send nodes/router router_send

function file_of(path) {
    sub(/:.*$/, "", path)
    sub(/^.*\/obj\/proxy\//, "", path)
    sub(/\.o$/, "", path)
    return path
}

{
    file = file_of($1)
    kind = $(NF - 1)
    if (kind == "U") {
        count++
        user[count] = file
        symbol[count] = $NF
    } else if (kind ~ /^[TDBRVWC]$/) {
        definer[$NF] = file
    }
}

END {
    for (i = 1; i <= count; i++) {
        to = (symbol[i] in definer) ? definer[symbol[i]] : user[i]
        if (to == user[i] || ((user[i], to) in seen))
            continue
        seen[user[i], to] = 1
        print user[i], to, symbol[i]
    }
}
