# What scale.sh measured: -v what=table for the terminal, what=json for programs. Files: facts, runs.
#
# A row is judged by its worst setting against its first one, within a round, then the median of the rounds:
# CPU per request at most 1.15 times, p99 at most 3 times. Costing less than in the first setting is
# no fault: more requests at a time share the work of one turn of the loop.

FNR == 1 { file++ }
/^#/ { next }

file == 1 {
    split($0, field, "\t")
    if (field[1] == "peer") {
        peers[++peer_count] = field[2]
        version[field[2]] = field[3]
    } else if (field[1] == "neighbours") {
        neighbours[++neighbour_count] = field[2]
    } else {
        fact[field[1]] = field[2]
    }
}

file == 2 {
    if (!(($2, 0) in settings)) {
        rows[++row_count] = $2
        settings[$2, 0] = 0
    }
    if (!(($2, $3) in known)) {
        known[$2, $3] = 1
        settings[$2, ++settings[$2, 0]] = $3
    }
    key = $2 SUBSEP $3 SUBSEP $4
    if ($1 > rounds) rounds = $1
    rate[key, $1] = $5; p50[key, $1] = $6; p99[key, $1] = $7; p999[key, $1] = $8
    cpu[key, $1] = $9; redis[key, $1] = $10
}

END {
    title["connections"] = "Connections, a tenth of them active: CPU per request, us"
    title["crowd"] = "Connections, 50 of them active: CPU per request, us"
    title["replicas"] = "Replicas that are read: CPU per request, us"
    title["groups"] = "Groups: CPU per request, us"
    title["pipeline"] = "50 clients alone, and beside one that sends 10,000 requests at once: p99, ms"
    title["fetch"] = "50 clients alone, and beside one that fetches 100 MB: p99, ms"
    if (what == "json") json()
    else table()
}

# Insertion sort, then the middle.
function median_of(sample, n,    i, j, x) {
    for (i = 2; i <= n; i++) {
        x = sample[i]
        for (j = i - 1; j > 0 && sample[j] > x; j--) sample[j + 1] = sample[j]
        sample[j + 1] = x
    }
    return n % 2 ? sample[(n + 1) / 2] : (sample[n / 2] + sample[n / 2 + 1]) / 2
}

function median(values, row, setting, peer,    sample, r) {
    for (r = 1; r <= rounds; r++) sample[r] = values[row, setting, peer, r] + 0
    return median_of(sample, rounds)
}

# Of direct there is only Redis' own.
function figure(row, setting, peer) {
    return is_latency(row) ? median(p99, row, setting, peer) : median(cpu, row, setting, peer)
}

# A setting's figure by the first setting's, within a round; the median of that. 0 when the runs were too
# short for the kernel's clock, which counts CPU time in milliseconds.
function growth(row, setting, peer,    sample, r, here, first) {
    for (r = 1; r <= rounds; r++) {
        here = row SUBSEP setting SUBSEP peer SUBSEP r
        first = row SUBSEP settings[row, 1] SUBSEP peer SUBSEP r
        if (cpu[here] == 0 || cpu[first] == 0) return 0
        sample[r] = is_latency(row) ? p99[here] / p99[first] : cpu[here] / cpu[first]
    }
    return median_of(sample, rounds)
}

function worst(row, peer,    i, is, most) {
    for (i = 2; i <= settings[row, 0]; i++) {
        is = growth(row, settings[row, i], peer)
        if (is == 0) return 0
        if (is > most) most = is
    }
    return most
}

function is_latency(row) { return row == "pipeline" || row == "fetch" }

function limit(row) { return is_latency(row) ? 3 : 1.15 }

function takes_part(row, peer) { return (row, settings[row, 1], peer, 1) in cpu }

function has_goals(peer) { return peer == "redisproxy" || peer == "redisproxy-auto" }

function table(    i) {
    printf "How redisproxy grows, %s\n%s; rounds: %d, N = %d\n", fact["when"], fact["machine"], \
        rounds, fact["requests"]
    printf "Others used %d %% of the processors between the runs (median), %d %% at most.\n", \
        median_of(neighbours, neighbour_count), neighbours[neighbour_count]
    print "Medians of the rounds; x: the worst setting by the first one. Direct: Redis' own CPU.\n"
    for (i = 1; i <= row_count; i++) block(rows[i])
}

function block(row,    i, p) {
    print title[row]
    printf "  %-23s", ""
    for (i = 1; i <= settings[row, 0]; i++) printf " %10s", settings[row, i]
    printf " %8s\n", "x"
    for (p = 1; p <= peer_count; p++) if (takes_part(row, peers[p])) line(row, peers[p])
    printf "  %-23s", "goal"
    for (i = 1; i <= settings[row, 0]; i++) printf " %10s", ""
    printf "  <= %4.2f\n\n", limit(row)
}

function line(row, peer,    i, is) {
    printf "  %-23s", peer (peer == "direct" ? "" : " " version[peer])
    for (i = 1; i <= settings[row, 0]; i++) printf " %10.2f", figure(row, settings[row, i], peer)
    is = worst(row, peer)
    printf " %8.2f %s\n", is, verdict(row, peer, is)
}

function verdict(row, peer, is) {
    if (is == 0) return "N is too small"
    if (!has_goals(peer)) return ""
    return is > limit(row) ? "MISSED" : "reached"
}

function json(    i, p, first) {
    printf "{\n  \"when\": \"%s\",\n  \"machine\": \"%s\",\n  \"rounds\": %d,\n  \"requests\": %d,\n", \
        fact["when"], fact["machine"], rounds, fact["requests"]
    print "  \"rows\": ["
    first = 1
    for (i = 1; i <= row_count; i++)
        for (p = 1; p <= peer_count; p++)
            if (takes_part(rows[i], peers[p])) {
                printf "%s", first ? "" : ",\n"
                entry(rows[i], peers[p])
                first = 0
            }
    print "\n  ]\n}"
}

function entry(row, peer,    i, s) {
    printf "    {\"row\": \"%s\", \"peer\": \"%s\", \"worst\": %.3f, \"limit\": %.2f, \"settings\": [\n", \
        row, peer, worst(row, peer), limit(row)
    for (i = 1; i <= settings[row, 0]; i++) {
        s = settings[row, i]
        printf "      {\"setting\": \"%s\", \"per_second\": %.0f, \"p50_ms\": %.3f, \"p99_ms\": %.3f,", s, \
            median(rate, row, s, peer), median(p50, row, s, peer), median(p99, row, s, peer)
        printf " \"p999_ms\": %.3f, \"%s_us\": %.3f}%s\n", median(p999, row, s, peer), \
            peer == "direct" ? "redis" : "proxy", median(cpu, row, s, peer), \
            i < settings[row, 0] ? "," : "]}"
    }
}
