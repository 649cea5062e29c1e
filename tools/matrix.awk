# docs/attacks.md from what the tries of tests/attacks came to:  awk -f tools/matrix.awk build/matrix/*.tsv
# A line: kernel, user, part, what, result, reason; tabs between.
BEGIN { FS = "\t" }
NF < 6 { next }
{
    column = $1 " " $2
    if (!(column in seen)) { seen[column] = 1; columns[++width] = column }
    row = $3 "\t" $4
    if (!(row in known)) { known[row] = 1; rows[++height] = row }
    if (!($3 in part)) { part[$3] = 1; parts[++kinds] = $3 }
    result[row, column] = $5
    reason[row] = $6
    if ($5 == "refused") refusal[row] = $6
    total[column, $5]++
}
BEGIN { shown["held"] = "held"; shown["held, as outside"] = "held¹"; shown["refused"] = "refused²" }
function cell(r, c) { return !((r, c) in result) ? "–" : result[r, c] in shown ? shown[result[r, c]] : "**NOT HELD**" }
function cells(text,  c, all) { for (c = 1; c <= width; c++) all = all " " text " |"; return all }
function names(  c, all) { for (c = 1; c <= width; c++) all = all " " columns[c] " |"; return all }
function version(column,  part) { split(column, part, /[. ]/); return part[1] * 1000 + part[2] }
function before(a, b) { return version(a) < version(b) || (version(a) == version(b) && a < b) }
function md(s) { gsub(/\|/, "\\|", s); gsub(/</, "\\<", s); gsub(/\*/, "\\*", s); return s }
END {
    for (i = 1; i < width; i++) for (k = i + 1; k <= width; k++) { # kernels in their order
        if (before(columns[k], columns[i])) { t = columns[i]; columns[i] = columns[k]; columns[k] = t }
    }
    print "# What is tried, and what came of it\n"
    printf "Made by `make matrix` from runs of `tests/attacks` on each kernel and as each user. "
    print "Every try is made outside of a sandbox too, to show that it could succeed.\n"
    printf "¹ The same try outside of a sandbox, as far as this user can go, was refused as well. "
    print "² The run was refused before the command started, with the reason. – was not tried.\n"
    print "|  |" names() "\n| --- |" cells("---")
    n = split("held;held, as outside;refused;NOT HELD", kinds_of, ";")
    for (k = 1; k <= n; k++) {
        printf "| %s |", kinds_of[k]
        for (c = 1; c <= width; c++) printf " %d |", total[columns[c], kinds_of[k]]
        print ""
    }
    for (p = 1; p <= kinds; p++) {
        print "\n## " parts[p] "\n\n| try | in the sandbox |" names() "\n| --- | --- |" cells("---")
        for (r = 1; r <= height; r++) {
            split(rows[r], f, "\t")
            if (f[1] != parts[p]) continue
            why = rows[r] in refusal ? refusal[rows[r]] : reason[rows[r]]
            if (!(rows[r] in refusal) && why ~ /; outside/) why = substr(why, 1, index(why, ";") - 1)
            printf "| %s | %s |", md(f[2]), md(why)
            for (c = 1; c <= width; c++) printf " %s |", cell(rows[r], columns[c])
            print ""
        }
    }
}
