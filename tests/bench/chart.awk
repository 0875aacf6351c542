# build/bench.svg: for each case a panel of bars, two panels in a row, each with the goal as a
# dashed line; then the proxies' CPU per request and the latency, where there is a goal for them, and
# the idle connections.

BEGIN {
    panel_width = 470; bar_height = 20; label_width = 120; bar_width = 220; margin = 20
    halo = "fill=\"#333\" stroke=\"white\" stroke-width=\"4\" paint-order=\"stroke\""
}

END {
    panel_height = 50 + peer_count * bar_height
    panels = case_count + (idle_count > 0)
    for (c = 1; c <= case_count; c++)
        panels += ((cases[c], "proxy") in goal) + ((cases[c], "p50") in goal)
    height = 70 + int((panels + 1) / 2) * panel_height
    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\"", \
        2 * panel_width + margin, height
    print " font-family=\"sans-serif\" font-size=\"12\">"
    print "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>"
    text(margin, 28, "redisproxy beside its peers", "font-size=\"18\" font-weight=\"bold\"")
    text(margin, 48, fact["when"] ", " fact["machine"] ", medians of " rounds " rounds;" \
        " in parentheses: x direct; dashed: the goal", \
        "fill=\"#666\"")
    for (c = 1; c <= case_count; c++) throughput(cases[c])
    for (c = 1; c <= case_count; c++) if ((cases[c], "proxy") in goal) cpu(cases[c])
    for (c = 1; c <= case_count; c++) if ((cases[c], "p50") in goal) latency(cases[c])
    if (idle_count) idle()
    print "</svg>"
}

function text(x, y, what, attributes) {
    gsub(/&/, "\\&amp;", what)
    gsub(/</, "\\&lt;", what)
    printf "<text x=\"%d\" y=\"%d\" %s>%s</text>\n", x, y, attributes, what
}

# Draws bar[peer], for the peers that have one, with label[peer] behind it; limit is where the goal
# is, 0 without one. The labels come last: they must stay readable where the goal's line
# crosses them.
function panel(heading, bar, label, limit,    x, y, p, row, most) {
    x = margin + (drawn % 2) * panel_width
    y = 70 + int(drawn / 2) * panel_height
    drawn++
    text(x, y + 16, heading, "font-weight=\"bold\"")
    most = limit
    for (p = 1; p <= peer_count; p++)
        if (peers[p] in bar && bar[peers[p]] > most) most = bar[peers[p]]
    for (p = 1; p <= peer_count; p++)
        if (peers[p] in bar) bar_of(peers[p], x, y + 24 + row++ * bar_height, bar[peers[p]], most)
    if (limit > 0)
        printf "<path d=\"M%.1f %d v%d\" stroke=\"#222\" stroke-dasharray=\"4 3\"/>\n", \
            x + label_width + bar_width * limit / most, y + 20, row * bar_height + 4
    row = 0
    for (p = 1; p <= peer_count; p++)
        if (peers[p] in bar)
            text(x + label_width + length_of(bar[peers[p]], most) + 6, \
                y + 38 + row++ * bar_height, label[peers[p]], halo)
}

function bar_of(peer, x, y, value, most) {
    text(x + label_width - 8, y + 14, peer, "text-anchor=\"end\"")
    printf "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>\n", \
        x + label_width, y, length_of(value, most), bar_height - 4, \
        has_goals(peer) ? "#c0392b" : peer == "direct" ? "#bbbbbb" : "#7f9db9"
}

function length_of(value, most) {
    return most > 0 && value > 0 ? bar_width * value / most : 0
}

function throughput(name,    p, peer, bar, label, is) {
    for (p = 1; p <= peer_count; p++) {
        peer = peers[p]
        if (peer == "floor") continue # it has no Redis to wait for
        bar[peer] = median(rate, name, peer)
        is = figure(name, peer, "direct")
        label[peer] = sprintf("%.1fk/s", bar[peer] / 1000) \
            (peer == "direct" ? "" : sprintf("  (%.2f)", is))
    }
    panel(title[name], bar, label, \
        (name, "direct") in goal ? goal[name, "direct"] * median(rate, name, "direct") : 0)
}

function cpu(name,    p, bar, label) {
    for (p = 2; p <= peer_count; p++) {
        bar[peers[p]] = figure(name, peers[p], "proxy")
        label[peers[p]] = sprintf("%.2f us", bar[peers[p]])
    }
    panel("Proxy's CPU per request, case " name " (less is better)", bar, label, goal[name, "proxy"])
}

function latency(name,    p, peer, bar, label) {
    for (p = 1; p <= peer_count; p++) {
        peer = peers[p]
        if (peer == "floor") continue
        bar[peer] = median(p50, name, peer)
        label[peer] = sprintf("%.0f us", 1000 * bar[peer]) \
            (peer == "direct" ? "" : sprintf("  (%.2f)", figure(name, peer, "p50")))
    }
    panel("Median latency, case " name " (less is better)", bar, label, goal[name, "p50"] * bar["direct"])
}

function idle(    p, bar, label) {
    for (p = 1; p <= peer_count; p++) {
        if (!(peers[p] in idle_used)) continue
        bar[peers[p]] = idle_used[peers[p]]
        label[peers[p]] = sprintf("%.2f KB", bar[peers[p]])
    }
    panel("Memory of an idle connection (less is better)", bar, label, idle_goal)
}
