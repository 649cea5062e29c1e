# docs/attacks.md from what the tries of tests/attacks came to:  awk -f tools/matrix.awk build/matrix/*.tsv
# A line: kernel, user, part, what, result, reason; tabs between.
BEGIN { FS = "\t" }
NF < 6 { next }
{
    column = $1 " " $2
    if (!(column in seen)) { seen[column] = 1; columns[++width] = column }
    row = $3 "\t" $4
    if (!(row in known)) { known[row] = 1; rows[++height] = row; if (!($3 in part)) { part[$3] = 1; parts[++kinds] = $3 } }
    result[row, column] = $5
    reason[row] = $6
    if ($5 == "refused") refusal[row] = $6
    total[column, $5]++
}
function cell(r, c) { return !((r, c) in result) ? "–" : result[r, c] == "held" ? "held" : result[r, c] == "held, as outside" ? "held¹" : result[r, c] == "refused" ? "refused²" : "**NOT HELD**" }
function md(s) { gsub(/\|/, "\\|", s); gsub(/</, "\\<", s); gsub(/\*/, "\\*", s); return s }
END {
    for (i = 1; i < width; i++) for (k = i + 1; k <= width; k++) { # kernels in their order
        split(columns[i], a, /[. ]/); split(columns[k], b, /[. ]/)
        if (a[1] * 1000 + a[2] > b[1] * 1000 + b[2] || (a[1] * 1000 + a[2] == b[1] * 1000 + b[2] && columns[i] > columns[k])) { t = columns[i]; columns[i] = columns[k]; columns[k] = t }
    }
    print "# What is tried, and what came of it\n\nMade by `make matrix` from runs of `tests/attacks` on each kernel and as each user. Every try is made outside of a sandbox too, to show that it could succeed.\n"
    print "¹ The same try outside of a sandbox, as far as this user can go, was refused as well. ² The run was refused before the command started, with the reason. – was not tried.\n"
    printf "|  |"; for (c = 1; c <= width; c++) printf " %s |", columns[c]; printf "\n| --- |"; for (c = 1; c <= width; c++) printf " --- |"; print ""
    n = split("held;held, as outside;refused;NOT HELD", kinds_of, ";")
    for (k = 1; k <= n; k++) { printf "| %s |", kinds_of[k]; for (c = 1; c <= width; c++) printf " %d |", total[columns[c], kinds_of[k]]; print "" }
    for (p = 1; p <= kinds; p++) {
        printf "\n## %s\n\n| try | in the sandbox |", parts[p]; for (c = 1; c <= width; c++) printf " %s |", columns[c]
        printf "\n| --- | --- |"; for (c = 1; c <= width; c++) printf " --- |"; print ""
        for (r = 1; r <= height; r++) {
            split(rows[r], f, "\t")
            if (f[1] != parts[p]) continue
            printf "| %s | %s |", md(f[2]), md(rows[r] in refusal ? refusal[rows[r]] : reason[rows[r]] ~ /; outside/ ? substr(reason[rows[r]], 1, index(reason[rows[r]], ";") - 1) : reason[rows[r]])
            for (c = 1; c <= width; c++) printf " %s |", cell(rows[r], columns[c])
            print ""
        }
    }
}
