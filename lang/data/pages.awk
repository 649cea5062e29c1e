# Turns docs/diagnostics/*.md into the C table that sbxc --explain prints from.
#   awk -f lang/data/pages.awk docs/diagnostics/*.md > pages.inc
FNR == 1 {
    if (NR > 1) print "    },"
    name = FILENAME
    sub(".*/", "", name)
    sub("\\.md$", "", name)
    printf "    {\"%s\",\n", name
}
{ gsub(/\\/, "&&"); gsub(/"/, "\\\""); printf "     \"%s\\n\"\n", $0 }
END { print "    }," }
