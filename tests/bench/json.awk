# build/bench.json: the figures of table.awk, and every round's throughput, for programs to compare.

END {
    printf "{\n  \"when\": %s,\n  \"machine\": %s,\n  \"others_used_percent\": %s,\n", \
        quoted(fact["when"]), quoted(fact["machine"]), neighbours_share()
    printf "  \"rounds\": %d,\n  \"requests\": %d,\n  \"versions\": {", rounds, fact["requests"]
    for (p = 1; p <= peer_count; p++)
        printf "%s%s: %s", (p > 1 ? ", " : ""), quoted(peers[p]), quoted(version[peers[p]])
    print "},\n  \"cases\": ["
    for (c = 1; c <= case_count; c++) {
        write_case(cases[c])
        print c < case_count ? "," : ""
    }
    print "  ]" (idle_count ? "," : "")
    if (idle_count) write_idle()
    print "}"
}

function write_idle(    p, written) {
    printf "  \"idle_connection\": {\"connections\": %d,", idle_count
    printf " \"promise_kb\": %s, \"goal_kb\": %s, \"peers\": [\n", idle_promise, idle_goal
    for (p = 1; p <= peer_count; p++)
        if (peers[p] in idle_used)
            printf "%s    {\"peer\": %s, \"opened_kb\": %.3f, \"used_kb\": %.3f}", \
                (written++ ? ",\n" : ""), quoted(peers[p]), idle_opened[peers[p]], idle_used[peers[p]]
    print "\n  ]}"
}

function quoted(text) {
    gsub(/\\/, "\\\\", text)
    gsub(/"/, "\\\"", text)
    return "\"" text "\""
}

function number(value) {
    return value == "" ? "null" : sprintf("%.3f", value)
}

function write_case(name,    p, i, column, columns, first) {
    printf "    {\"case\": %s, \"title\": %s, \"goals\": {", quoted(name), quoted(title[name])
    columns = split("direct haproxy p50 p99 proxy redis", column, " ")
    first = 1
    for (i = 1; i <= columns; i++)
        if ((name, column[i]) in goal) {
            printf "%s\"%s\": %s", first ? "" : ", ", column[i], goal[name, column[i]]
            first = 0
        }
    print "}, \"peers\": ["
    for (p = 1; p <= peer_count; p++) {
        write_peer(name, peers[p])
        print p < peer_count ? "," : ""
    }
    printf "    ]}"
}

function write_peer(name, peer,    r) {
    printf "      {\"peer\": %s, \"per_second\": %.0f, \"spread_percent\": %.1f, \"by_round\": [", \
        quoted(peer), median(rate, name, peer), spread(name, peer)
    for (r = 1; r <= rounds; r++) printf "%s%.0f", (r > 1 ? ", " : ""), rate[name, peer, r]
    printf "],\n       "
    ratio_of("of_direct", name, peer, "direct")
    ratio_of("of_haproxy", name, peer, "haproxy")
    printf "\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"p999_ms\": %.3f,\n       ", \
        median(p50, name, peer), median(p99, name, peer), median(p999, name, peer)
    ratio_of("p50_of_direct", name, peer, "p50")
    ratio_of("p99_of_direct", name, peer, "p99")
    printf "\"proxy_us\": %s, \"redis_us\": %s}", number(figure(name, peer, "proxy")), \
        number(figure(name, peer, "redis"))
}

function ratio_of(key, name, peer, column) {
    printf "\"%s\": %s, ", key, number(figure(name, peer, column))
}
