# Completions for shells, from a table of options (compiler/options.def, enforcer/options.def):
#   awk -v shell=bash|zsh|fish -v program=sbxc -f tools/completions.awk compiler/options.def
BEGIN { FS = "\"" }
/^(ACTION|OPTION)\(/ {
    gsub(/\\"/, "'")
    $0 = $0
    name = $2; letter = $4; argument = $6; help = $10
    values = argument ~ /\|/ || argument == "docker-seccomp" || argument == "native" ? argument : ""
    gsub(/\|/, " ", values)
    word = name != "" ? "--" name : "-" letter
    if (shell == "bash") {
        words = words " " word
        if (values != "") cases = cases "        " word ") words=\"" values "\" ;;\n"
        else if (argument == "DIR" || argument == "FILE" || argument == "OUT") cases = cases "        " word ") return ;;\n"
        else if (argument != "") cases = cases "        " word ") words= ;;\n"
    } else if (shell == "zsh") {
        gsub(/\[|\]|:|\\|'/, " ", help)
        action = values != "" ? "(" values ")" : argument == "DIR" ? "_files -/" : argument == "FILE" || argument == "OUT" ? "_files" : ""
        lines = lines sprintf("    '%s%s[%s]%s' \\\n", (letter == "I" || letter == "D" ? "*" : "") word, argument == "" || letter != "" ? (letter != "" ? "+" : "") : "=", help, argument == "" ? "" : ":" tolower(argument) ":" action)
    } else {
        gsub(/'/, " ", help)
        lines = lines sprintf("complete -c %s %s %s -d '%s'\n", program, name != "" ? "-l " name : "-s " letter,
                              values != "" ? "-x -a '" values "'" : argument == "DIR" || argument == "FILE" || argument == "OUT" ? "-r" : argument != "" ? "-x" : "", help)
    }
}
END {
    if (shell == "bash") {
        printf "# bash completion for %s\n_%s() {\n    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words=\"%s\"\n", program, program, substr(words, 2)
        print "    [ \"$cur\" != = ] || cur="
        print "    [ \"$prev\" != = ] || prev=${COMP_WORDS[COMP_CWORD-2]}"
        print "    [ \"${COMP_WORDS[COMP_CWORD]}\" != = ] || prev=${COMP_WORDS[COMP_CWORD-1]}"
        printf "    case $prev in\n%s        *) [ \"${cur:0:1}\" = - ] || return ;;\n    esac\n", cases
        printf "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n}\ncomplete -o default -F _%s %s\n", program, program
    } else if (shell == "zsh") {
        printf "#compdef %s\n_arguments -s \\\n%s    '*:file:_files'\n", program, lines
    } else {
        printf "# fish completion for %s\n%s", program, lines
    }
}
