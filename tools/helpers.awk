# Turns a plan into a C string.
#   awk -v name=image -f tools/helpers.awk PLAN
BEGIN { printf "static const char helper_%s[] =\n", name }
{ gsub(/\\/, "&&"); gsub(/"/, "\\\""); printf "    \"%s\\n\"\n", $0 }
END { print "    ;" }
