# The table on the terminal: a block for each case, a line for each peer, the goals beneath in the
# columns that they are about. A figure of redisproxy that misses its goal has a "!" behind it.

END {
    share = neighbours_share() # sorts: the last one is the highest
    printf "redisproxy beside its peers, %s\n%s; rounds: %d, N = %d\n", fact["when"], \
        fact["machine"], rounds, fact["requests"]
    printf "Others used %d %% of the processors between the runs (median), %d %% at most%s.\n", \
        share, neighbours[neighbour_count], \
        (share > 10 ? ": too busy for figures to rely on" : "")
    print "req/s, p50 and p99: median of the rounds; spread: (highest - lowest) / median;"
    print "x direct, x HAProxy: median of the ratios within each round; us: CPU per request.\n"
    for (c = 1; c <= case_count; c++) block(cases[c])
    memory()
    verdict()
}

# 1234567 -> 1,234,567
function thousands(number,    text) {
    text = sprintf("%.0f", number)
    while (match(text, /^[0-9]+[0-9][0-9][0-9]/))
        text = substr(text, 1, RLENGTH - 3) "," substr(text, RLENGTH - 2)
    return text
}

function block(name,    p) {
    print title[name]
    printf "  %-22s %11s %6s %9s %9s %8s %8s %8s %8s %9s %9s\n", "", "req/s", "spread", \
        "x direct", "x HAProxy", "p50 ms", "x direct", "p99 ms", "x direct", "proxy us", "redis us"
    for (p = 1; p <= peer_count; p++) line(name, peers[p])
    if (has_goal(name))
        printf "  %-22s %11s %6s %s %s %8s %s %8s %s %s %s\n", "goal", "", "", \
            limit(name, "direct", ">=", "%.2f", 8), limit(name, "haproxy", ">=", "%.2f", 8), "", \
            limit(name, "p50", "<=", "%.1f", 7), "", limit(name, "p99", "<=", "%.1f", 7), \
            limit(name, "proxy", "<=", "%.1f", 8), limit(name, "redis", "<=", "%.1f", 8)
    print ""
}

function line(name, peer) {
    printf "  %-22s %11s %4.0f %% %s %s %8.3f %s %8.3f %s %s %s\n", \
        peer (peer == "direct" ? "" : " " version[peer]), thousands(median(rate, name, peer)), \
        spread(name, peer), cell(name, peer, "direct", "%.2f", 8), \
        cell(name, peer, "haproxy", "%.2f", 8), median(p50, name, peer), \
        cell(name, peer, "p50", "%.2f", 7), median(p99, name, peer), \
        cell(name, peer, "p99", "%.2f", 7), cell(name, peer, "proxy", "%.2f", 8), \
        cell(name, peer, "redis", "%.2f", 8)
}

# One column wider than it says: the last one is for the mark.
function cell(name, peer, column, format, width,    is) {
    is = figure(name, peer, column)
    return sprintf("%" width "s%s", is == "" ? "-" : sprintf(format, is), \
        missed(name, peer, column) ? "!" : " ")
}

function limit(name, column, sign, format, width) {
    return sprintf("%" width "s ", \
        (name, column) in goal ? sign " " sprintf(format, goal[name, column]) : "")
}

function has_goal(name,    pair, part) {
    for (pair in goal) {
        split(pair, part, SUBSEP)
        if (part[1] == name) return 1
    }
    return 0
}

function memory(    p, peer, mark) {
    printf "Memory of an idle connection, KB (resident set, %s open)\n", thousands(idle_count)
    printf "  %-22s %14s %14s\n", "", "only opened", "used once"
    for (p = 1; p <= peer_count; p++) {
        peer = peers[p]
        mark = peer == "redisproxy" ? (idle_used[peer] > idle_goal + 0 ? "!" : " ") : " "
        printf "  %-22s %14.2f %14.2f%s\n", peer (peer == "direct" ? "" : " " version[peer]), \
            idle_opened[peer], idle_used[peer], mark
    }
    printf "  %-22s %14s %14s\n\n", "goal", "", "<= " sprintf("%.1f", idle_goal)
}

function verdict(    pair, part, all, bad) {
    for (pair in goal) {
        split(pair, part, SUBSEP)
        if (figure(part[1], "redisproxy", part[2]) == "") continue
        all++
        bad += missed(part[1], "redisproxy", part[2])
    }
    all++
    bad += idle_used["redisproxy"] > idle_goal + 0
    printf "Goals met: %d of %d (! marks the others)\n", all - bad, all
    if (figure("set", "redisproxy", "haproxy") != "")
        printf "Promised: %.2f (SET) and %.2f (GET) of HAProxy's throughput, at least %.2f: %s\n", \
            figure("set", "redisproxy", "haproxy"), figure("get", "redisproxy", "haproxy"), \
            goal["set", "haproxy"], \
            missed("set", "redisproxy", "haproxy") || missed("get", "redisproxy", "haproxy") ? \
            "MISSED" : "kept"
    printf "Promised: %.2f KB for an idle connection, at most %.1f: %s\n", \
        idle_used["redisproxy"], idle_promise, \
        (idle_used["redisproxy"] > idle_promise + 0 ? "MISSED" : "kept")
}
