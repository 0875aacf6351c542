# Reads what bench.sh measured and works out the figures; table.awk, json.awk and chart.awk, given
# beside this file, print them. Files in this order: cases.txt, facts, runs, memory.
#
# Noise on a shared machine comes and goes in seconds, so ratios are taken within a round, where the
# runs lie side by side, and then their median; CPU times are summed over the rounds first, because
# the kernel counts them in ticks of 10 ms.

FNR == 1 { file++ }
/^#/ || NF == 0 { next }

file == 1 && $1 == "case" {
    all_cases[++all_count] = $2
    title[$2] = sprintf("%s, %s, values of %s bytes, %s", toupper($3),
        $4 == 1 ? "one connection" : $4 " connections", $5,
        $6 == 1 ? "no pipelining" : "pipeline of " $6)
    set_goal($2, "direct", $8); set_goal($2, "haproxy", $9)
    set_goal($2, "p50", $10); set_goal($2, "p99", $11)
    set_goal($2, "proxy", $12); set_goal($2, "redis", $13)
}
file == 1 && $1 == "idle" { idle_promise = $2; idle_goal = $3 }

file == 2 {
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

# round, case, peer, requests, per second, p50, p99, p99.9, ticks of the proxy, ticks of Redis
file == 3 {
    key = $2 SUBSEP $3
    if ($1 > rounds) rounds = $1
    rate[key, $1] = $5; p50[key, $1] = $6; p99[key, $1] = $7; p999[key, $1] = $8
    served[key] += $4; proxy_ticks[key] += $9; redis_ticks[key] += $10
    measured[$2] = 1
}

file == 4 {
    idle_opened[$1] = $3 / $2 / 1024
    idle_used[$1] = $4 / $2 / 1024
    idle_count = $2
}

# What ROWS left out is not there.
END {
    for (c = 1; c <= all_count; c++)
        if (all_cases[c] in measured) cases[++case_count] = all_cases[c]
}

function set_goal(name, column, value) {
    if (value != "-") goal[name, column] = value
}

# The median of sample[1..n], which is sorted by this.
function median_of(sample, n,    i, j, x) {
    for (i = 2; i <= n; i++) {
        x = sample[i]
        for (j = i - 1; j > 0 && sample[j] > x; j--) sample[j + 1] = sample[j]
        sample[j + 1] = x
    }
    return n % 2 ? sample[(n + 1) / 2] : (sample[n / 2] + sample[n / 2 + 1]) / 2
}

# The median, over the rounds, of the percentage of the processors that others used; sorts.
function neighbours_share() {
    return median_of(neighbours, neighbour_count)
}

# The median over the rounds of values[case, peer, round].
function median(values, name, peer,    sample, r) {
    for (r = 1; r <= rounds; r++) sample[r] = values[name, peer, r] + 0
    return median_of(sample, rounds)
}

# ... and of its ratio to another peer's in the same round; "" without that peer.
function ratio(values, name, peer, other,    sample, r) {
    if (!((name, other, 1) in values)) return ""
    for (r = 1; r <= rounds; r++) {
        if (values[name, other, r] == 0) return ""
        sample[r] = values[name, peer, r] / values[name, other, r]
    }
    return median_of(sample, rounds)
}

# Highest minus lowest round, in percent of the median.
function spread(name, peer,    low, high, r) {
    low = high = rate[name, peer, 1]
    for (r = 2; r <= rounds; r++) {
        if (rate[name, peer, r] < low) low = rate[name, peer, r]
        if (rate[name, peer, r] > high) high = rate[name, peer, r]
    }
    return 100 * (high - low) / median(rate, name, peer)
}

# CPU microseconds per request.
function proxy_us(name, peer) {
    return peer == "direct" ? "" : proxy_ticks[name, peer] * 1e6 / fact["hz"] / served[name, peer]
}
function redis_us(name, peer) {
    return redis_ticks[name, peer] * 1e6 / fact["hz"] / served[name, peer]
}

# What stands in a column of a case and peer; "" is nothing.
function figure(name, peer, column) {
    if (column == "direct") return ratio(rate, name, peer, "direct")
    if (column == "haproxy") return ratio(rate, name, peer, "haproxy")
    if (column == "p50") return ratio(p50, name, peer, "direct")
    if (column == "p99") return ratio(p99, name, peer, "direct")
    if (column == "proxy") return proxy_us(name, peer)
    return redis_us(name, peer)
}

function has_goals(peer) {
    return peer == "redisproxy" || peer == "redisproxy-auto"
}

# Throughput at least, everything else at most.
function missed(name, peer, column,    is) {
    if (!has_goals(peer) || !((name, column) in goal)) return 0
    is = figure(name, peer, column)
    if (is == "") return 0
    return column == "direct" || column == "haproxy" ? is < goal[name, column] + 0 \
                                                     : is > goal[name, column] + 0
}
