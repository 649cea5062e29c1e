# Turns the helpers' policies into C strings.
#   awk -f tools/helpers.awk enforcer/helpers/*.sbx > helpers.inc
FNR == 1 {
    if (name != "") print "    ;"
    name = FILENAME; sub(/.*\//, "", name); sub(/\.sbx$/, "", name)
    printf "static const char helper_%s[] =\n", name
}
{ gsub(/\\/, "&&"); gsub(/"/, "\\\""); printf "    \"%s\\n\"\n", $0 }
END { if (name != "") print "    ;" }
