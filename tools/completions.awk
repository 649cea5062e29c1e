# Completions for shells, from a table of options (compiler/options.def, enforcer/options.def):
#   awk -v shell=bash|zsh|fish -v program=sbxc -f tools/completions.awk compiler/options.def
BEGIN { FS = "\"" }
function is_path(argument) { return argument == "DIR" || argument == "FILE" || argument == "OUT" }
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
        else if (is_path(argument)) cases = cases "        " word ") return ;;\n"
        else if (argument != "") cases = cases "        " word ") words= ;;\n"
    } else if (shell == "zsh") {
        gsub(/\[|\]|:|\\|'/, " ", help)
        action = values != "" ? "(" values ")" : argument == "DIR" ? "_files -/" : is_path(argument) ? "_files" : ""
        if (argument != "") action = ":" tolower(argument) ":" action
        if (letter == "I" || letter == "D") word = "*" word
        word = word (letter != "" ? "+" : argument == "" ? "" : "=")
        lines = lines sprintf("    '%s[%s]%s' \\\n", word, help, action)
    } else {
        gsub(/'/, " ", help)
        action = values != "" ? "-x -a '" values "'" : is_path(argument) ? "-r" : argument != "" ? "-x" : ""
        word = name != "" ? "-l " name : "-s " letter
        lines = lines sprintf("complete -c %s %s %s -d '%s'\n", program, word, action, help)
    }
}
END {
    if (shell == "bash") {
        printf "# bash completion for %s\n_%s() {\n", program, program
        print "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words=\"" substr(words, 2) "\""
        print "    [ \"$cur\" != = ] || cur="
        print "    [ \"$prev\" != = ] || prev=${COMP_WORDS[COMP_CWORD-2]}"
        print "    [ \"${COMP_WORDS[COMP_CWORD]}\" != = ] || prev=${COMP_WORDS[COMP_CWORD-1]}"
        printf "    case $prev in\n%s        *) [ \"${cur:0:1}\" = - ] || return ;;\n    esac\n", cases
        print "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n}"
        printf "complete -o default -F _%s %s\n", program, program
    } else if (shell == "zsh") {
        printf "#compdef %s\n_arguments -s \\\n%s    '*:file:_files'\n", program, lines
    } else {
        printf "# fish completion for %s\n%s", program, lines
    }
}
