# How each C file is compiled, for editors: a line of standard input names one, COMPILE says how, `folder` where.
BEGIN { command = ENVIRON["COMPILE"]; gsub(/["\\]/, "\\\\&", command); print "[" }
{
    printf "%s{ \"directory\": \"%s\", \"file\": \"%s\", \"command\": \"%s -c %s\" }", comma, folder, $0, command, $0
    comma = ",\n"
}
END { print "\n]" }
