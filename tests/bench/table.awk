# The table on the terminal: a block for each case, a line for each peer, the goals beneath in the
# columns that they are about; a figure of redisproxy that misses its goal has a "!" behind it. Then every
# goal, reached or missed.

END {
    share = neighbours_share() # sorts: the last one is the highest
    printf "redisproxy beside its peers, %s\n%s; rounds: %d, N = %d\n", fact["when"], \
        fact["machine"], rounds, fact["requests"]
    printf "Others used %d %% of the processors between the runs (median), %d %% at most%s.\n", \
        share, neighbours[neighbour_count], \
        (share > 10 ? ": too busy for figures to rely on" : "")
    print "req/s, p50, p99, p99.9 (ms): median of the rounds; spread: (highest - lowest) / median;"
    print "x direct, x HAProxy: median of the ratios within each round; us: CPU per request."
    print "floor: no proxy, and no Redis: one recv() and one send() for each batch, what the kernel takes for that.\n"
    for (c = 1; c <= case_count; c++) block(cases[c])
    if (idle_count) memory()
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
    printf "  %-23s %11s %6s %9s %9s %8s %8s %8s %8s %8s %9s %9s\n", "", "req/s", "spread", \
        "x direct", "x HAProxy", "p50", "x direct", "p99", "x direct", "p99.9", "proxy us", "redis us"
    for (p = 1; p <= peer_count; p++) line(name, peers[p])
    if (has_goal(name))
        printf "  %-23s %11s %6s %s %s %8s %s %8s %s %8s %s %s\n", "goal", "", "", \
            limit(name, "direct", ">=", "%.2f", 8), limit(name, "haproxy", ">=", "%.2f", 8), "", \
            limit(name, "p50", "<=", "%.1f", 7), "", limit(name, "p99", "<=", "%.1f", 7), "", \
            limit(name, "proxy", "<=", "%.1f", 8), limit(name, "redis", "<=", "%.1f", 8)
    print ""
}

function line(name, peer) {
    printf "  %-23s %11s %4.0f %% %s %s %8.3f %s %8.3f %s %8.3f %s %s\n", \
        peer (peer == "direct" ? "" : " " version[peer]), thousands(median(rate, name, peer)), \
        spread(name, peer), cell(name, peer, "direct", "%.2f", 8), \
        cell(name, peer, "haproxy", "%.2f", 8), median(p50, name, peer), \
        cell(name, peer, "p50", "%.2f", 7), median(p99, name, peer), \
        cell(name, peer, "p99", "%.2f", 7), median(p999, name, peer), \
        cell(name, peer, "proxy", "%.2f", 8), \
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

function memory(    p, peer) {
    printf "Memory of an idle connection, KB (resident set, %s open)\n", thousands(idle_count)
    printf "  %-23s %14s %14s\n", "", "only opened", "used once"
    for (p = 1; p <= peer_count; p++) {
        peer = peers[p]
        if (!(peer in idle_used)) continue
        printf "  %-23s %14.2f %14.2f%s\n", peer (peer == "direct" ? "" : " " version[peer]), \
            idle_opened[peer], idle_used[peer], \
            (has_goals(peer) && idle_used[peer] > idle_goal + 0 ? "!" : "")
    }
    printf "  %-23s %14s %14s\n\n", "goal", "", "<= " sprintf("%.1f", idle_goal)
}

# ---- the goals ----

function verdict(    c, i, columns, column, what, p) {
    columns = split("direct haproxy p50 p99 proxy redis", column, " ")
    split("throughput, of direct's|throughput, of HAProxy's|p50, of direct's|p99, of direct's|" \
        "proxy's CPU per request, us|Redis' CPU per request, us", what, "|")
    printf "%-9s %-29s %7s", "Goals", "", ""
    for (p = 1; p <= peer_count; p++) if (has_goals(peers[p])) printf "   %-15s", peers[p]
    print ""
    for (c = 1; c <= case_count; c++)
        for (i = 1; i <= columns; i++)
            if ((cases[c], column[i]) in goal) goal_line(cases[c], column[i], what[i])
    if (idle_count) goal_line("idle", "", "KB of a connection")
    printf "%-9s %-29s %7s", "reached", "", ""
    for (p = 1; p <= peer_count; p++)
        if (has_goals(peers[p]))
            printf "   %-15s", reached[peers[p]] + 0 " of " judged[peers[p]] + 0
    print ""
    promises()
}

function goal_line(name, column, what,    p, peer, is, bad, at_least) {
    at_least = column == "direct" || column == "haproxy"
    printf "%-9s %-29s %2s %4.2f", name, what, at_least ? ">=" : "<=", \
        name == "idle" ? idle_goal : goal[name, column]
    for (p = 1; p <= peer_count; p++) {
        peer = peers[p]
        if (!has_goals(peer)) continue
        is = name == "idle" ? idle_used[peer] : figure(name, peer, column)
        if (is == "") {
            printf "   %-15s", "not measured"
            continue
        }
        bad = name == "idle" ? is > idle_goal + 0 : missed(name, peer, column)
        judged[peer]++
        reached[peer] += !bad
        printf "   %6.2f %-8s", is, bad ? "MISSED" : "reached"
    }
    print ""
}

# What the project's readers were promised, of redisproxy with one worker.
function promises() {
    if (figure("set", "redisproxy", "haproxy") != "" && figure("get", "redisproxy", "haproxy") != "")
        printf "Promised: %.2f (SET) and %.2f (GET) of HAProxy's throughput, at least %.2f: %s\n", \
            figure("set", "redisproxy", "haproxy"), figure("get", "redisproxy", "haproxy"), \
            goal["set", "haproxy"], \
            missed("set", "redisproxy", "haproxy") || missed("get", "redisproxy", "haproxy") ? \
            "MISSED" : "kept"
    if ("redisproxy" in idle_used)
        printf "Promised: %.2f KB for an idle connection, at most %.1f: %s\n", \
            idle_used["redisproxy"], idle_promise, \
            (idle_used["redisproxy"] > idle_promise + 0 ? "MISSED" : "kept")
}
