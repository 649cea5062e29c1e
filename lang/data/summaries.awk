# Turns summaries.tsv into the C strings that compiler/describe/ includes, and holds it against syscalls.tsv.
#   awk -f lang/data/summaries.awk lang/data/syscalls.tsv lang/data/summaries.tsv > summaries.inc
BEGIN { FS = "\t" }
/^#/ { next }
FILENAME ~ /syscalls/ { call[++calls] = $1; next }
{ if ($1 != call[++rows]) wrong = wrong " " $1; gsub(/["\\]/, "\\\\&", $2); printf "    \"%s\",\n", $2 }
END {
    if (rows != calls || wrong != "") {
        print "summaries.tsv does not fit syscalls.tsv:" wrong > "/dev/stderr"
        exit 1
    }
}
