# build/failover.svg from the player's lines (scenario/play.c):
#   writes <scenario> <proxy> <ms> <acknowledged in the 100 ms from then on> <of those, lost afterwards>
#   event  <scenario> <proxy> <ms> <sentinel> <channel>
#   result <scenario> <proxy> <failed writes> <lost> <writes that the read port took>
# One panel a scenario, one row a proxy: bars of acknowledged writes, the lost ones black, Sentinel's
# events as marks.

BEGIN {
    FS = "\t"
    left = 190; width = 900; row_height = 46; heading = 24
    colour["redisproxy"] = "#c0392b"; colour["haproxy"] = "#7f9db9"
    mark["+odown"] = "#8e44ad"; mark["+elected-leader"] = "#d68910"
    mark["+promoted-slave"] = "#117a65"; mark["+switch-master"] = "#1a5276"
    mark["-failover-abort"] = "#000000"
}

{
    if (!($2 in seen)) { seen[$2] = 1; scenario[++scenarios] = $2 }
    if (!(($2, $3) in row)) { row[$2, $3] = ++rows_of[$2]; proxy[$2, rows_of[$2]] = $3; rows++ }
}
$1 == "writes" {
    n = ++slots[$2, $3]
    at[$2, $3, n] = $4; count[$2, $3, n] = $5; lost[$2, $3, n] = $6
    if ($4 > longest[$2]) longest[$2] = $4
    if ($5 > most[$2]) most[$2] = $5
}
$1 == "event" {
    sub(/-(no-good-slave|slave-timeout|not-elected)$/, "", $6)
    n = ++events[$2, $3]
    event_at[$2, $3, n] = $4; event[$2, $3, n] = $6
}

$1 == "result" { result[$2, $3] = results($4, $5, $6) }

END {
    height = 70 + scenarios * (heading + 24) + rows * row_height
    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\"", left + width + 20, height
    print " font-family=\"sans-serif\" font-size=\"12\"><rect width=\"100%\" height=\"100%\" fill=\"white\"/>"
    text(20, 26, "Acknowledged writes per 100 ms while a master goes; black: acknowledged, and lost", "font-size=\"18\" font-weight=\"bold\"")
    legend(48)
    y = 66
    for (s = 1; s <= scenarios; s++) y = panel(scenario[s], y)
    print "</svg>"
}

function text(x, y, what, attributes) {
    printf "<text x=\"%.1f\" y=\"%.1f\" %s>%s</text>\n", x, y, attributes, what
}

function legend(y,    x, m) {
    x = 20
    for (m in mark) {
        printf "<path d=\"M%d %d v-12\" stroke=\"%s\" stroke-width=\"2\"/>\n", x, y, mark[m]
        text(x + 6, y, m, "fill=\"#555\"")
        x += 120
    }
}

function panel(name, y,    r) {
    text(20, y + 16, name, "font-weight=\"bold\"")
    y += heading
    for (r = 1; r <= rows_of[name]; r++) {
        draw(name, proxy[name, r], y)
        y += row_height
    }
    axis(name, y)
    return y + 24
}

function x_of(name, ms) {
    return left + width * ms / (longest[name] + 100)
}

function results(failed, lost, strays) {
    return failed + lost + strays ? sprintf("%d failed, %d lost, %d strays", failed, lost, strays) : "0 failed, lost, strays"
}

function bars(name, who, numbers, base, fill,    n, bar, wide) {
    wide = width * 100 / (longest[name] + 100)
    printf "<path fill=\"%s\" d=\"", fill
    for (n = 1; n <= slots[name, who]; n++) {
        bar = most[name] ? (row_height - 12) * numbers[name, who, n] / most[name] : 0
        if (bar > 0)
            printf "M%.1f %d v%.1f h%.2f V%d z", x_of(name, at[name, who, n]), base, -bar, wide, base
    }
    print "\"/>"
}

function draw(name, who, y,    n, base) {
    base = y + row_height - 8
    text(left - 8, base - 16, who, "text-anchor=\"end\"")
    text(left - 8, base - 3, result[name, who], "text-anchor=\"end\" font-size=\"9\" fill=\"#777\"")
    bars(name, who, count, base, colour[who])
    bars(name, who, lost, base, "black")
    for (n = 1; n <= events[name, who]; n++)
        printf "<path d=\"M%.1f %d v%d\" stroke=\"%s\" stroke-width=\"1.5\"/>\n", \
            x_of(name, event_at[name, who, n]), base + 4, -row_height + 6, mark[event[name, who, n]]
    printf "<path d=\"M%d %d h%d\" stroke=\"#bbb\"/>\n", left, base, width
}

function axis(name, y,    step, t) {
    for (step = 1; longest[name] / 1000 / step > 18; step *= step % 4 ? 2 : 2.5)
        continue
    for (t = 0; t * 1000 <= longest[name]; t += step)
        text(x_of(name, t * 1000), y + 6, t " s", "fill=\"#777\" font-size=\"10\" text-anchor=\"middle\"")
}
