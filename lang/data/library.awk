# Turns the standard library's files into C strings that lang/module.c includes, one per file, so that a run needs no
# file of it.
#   awk -f lang/data/library.awk stdlib-policies/*.sbx > library.inc
FNR == 1 {
    if (name != "") rows = rows sprintf("    {\"%s\", library_%d, sizeof library_%d - 1},\n", name, n, n)
    if (name != "") printf ";\n"
    name = FILENAME; sub(/.*\//, "", name); sub(/\.sbx$/, "", name); n++
    printf "static const char library_%d[] =\n", n
}
{ gsub(/\\/, "&&"); gsub(/"/, "\\\""); printf "    \"%s\\n\"\n", $0 }
END {
    if (name != "") {
        printf ";\n"
        rows = rows sprintf("    {\"%s\", library_%d, sizeof library_%d - 1},\n", name, n, n)
    }
    printf "static const struct library_file library_files[] = {\n%s    {NULL, NULL, 0},\n};\n", rows
}
