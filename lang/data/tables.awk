# Turns syscalls.tsv, foreign-calls.tsv and constants.tsv into the C tables that lang/tables.c includes. Rows stay in
# the files' order (bytes).
#   awk -f lang/data/tables.awk lang/data/syscalls.tsv lang/data/foreign-calls.tsv lang/data/constants.tsv > tables.inc
BEGIN { FS = "\t" }
/^#/ { next }
FILENAME ~ /syscalls/ {
    row = sprintf("    {\"%s\", {%s, %s}, %d, {", $1, $2 == "-" ? -1 : $2, $3 == "-" ? -1 : $3, NF - 3)
    for (i = 4; i <= NF; i++) { split($i, a, ":"); row = row sprintf("{\"%s\", ARGUMENT_%s}, ", a[1], toupper(a[2])) }
    calls = calls row "}},\n"
    if ($2 != "-" && $2 > last[0]) last[0] = $2
    if ($3 != "-" && $3 > last[1]) last[1] = $3
}
FILENAME ~ /foreign-calls/ { foreign = foreign sprintf("    \"%s\",\n", $1) }
FILENAME ~ /constants/ {
    constants = constants sprintf("    {\"%s\", {%sLL, %sLL}, %d},\n",
        $1, $2 == "-" ? 0 : $2, $3 == "-" ? 0 : $3, ($2 != "-") + 2 * ($3 != "-"))
}
END {
    printf "static const struct syscall_row syscall_rows[] = {\n%s};\n\n", calls
    printf "static const char foreign_calls[][32] = {\n%s};\n\n", foreign
    printf "static const struct constant_row constant_rows[] = {\n%s};\n", constants
}
