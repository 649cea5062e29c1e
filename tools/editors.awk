# Colours for editors, from the scanner's own list of words:
#   awk -v form=vim|textmate -f tools/editors.awk grammar/sbx.l
/^"[a-z][a-z-]*" +TOKEN\(/ { word = $1; gsub(/"/, "", word); words[++count] = word }
function is(kind, word) { return index(" " kinds[kind] " ", " " word " ") > 0 }
BEGIN {
    kinds["effect"] = "allow deny never expect require use within default"
    kinds["block"] = "policy group let import fs net syscalls limits process secrets tests on sbx"
    kinds["verb"] = "read write modify create delete exec connect bind listen tcp udp unix"
    kinds["value"] = "true false none any loopback host-loopback kill proc dev"
    order[1] = "effect"; order[2] = "block"; order[3] = "verb"; order[4] = "value"; order[5] = "clause"
    vim["effect"] = "Statement"; vim["block"] = "Structure"; vim["verb"] = "Type"
    vim["value"] = "Constant"; vim["clause"] = "Keyword"
    scope["effect"] = "keyword.control"; scope["block"] = "storage.type"; scope["verb"] = "support.function"
    scope["value"] = "constant.language"; scope["clause"] = "keyword.other"
}
END {
    for (i = 1; i <= count; i++) {
        kind = "clause" # whatever else the scanner knows
        for (k = 1; k <= 4; k++) if (is(order[k], words[i])) kind = order[k]
        list[kind] = list[kind] (list[kind] == "" ? "" : form == "vim" ? " " : "|") words[i]
    }
    if (form == "vim") {
        print "\" Vim syntax file: sbx policies"
        print "if exists('b:current_syntax')\n  finish\nendif\nsyntax iskeyword @,48-57,_,-"
        for (k = 1; k <= 5; k++) {
            printf "syntax keyword sbx%s %s\n", order[k], list[order[k]]
            printf "highlight default link sbx%s %s\n", order[k], vim[order[k]]
        }
        print "syntax match sbxComment /#.*$/ contains=@Spell"
        print "syntax region sbxString start=/\"/ skip=/\\\\./ end=/\"/ oneline contains=sbxEscape"
        print "syntax match sbxEscape /\\\\\\([\\\\\"nt]\\|x\\x\\x\\)/ contained"
        print "syntax match sbxGroup /@[A-Za-z_][A-Za-z0-9_-]*/"
        print "syntax match sbxParameter /\\$[A-Za-z_][A-Za-z0-9_-]*/"
        printf "syntax match sbxNumber "
        print "/\\<-\\?\\d\\+\\(\\.\\d\\+\\)\\?\\(B\\|KiB\\|MiB\\|GiB\\|ms\\|s\\|min\\|h\\)\\?\\>/"
        print "syntax match sbxNumber /\\<0x\\x\\+\\>\\|\\<0o\\o\\+\\>/"
        print "syntax match sbxConstant /\\<[A-Z][A-Z0-9]*_[A-Z0-9_]*\\>/"
        n = split("Comment Comment String String Escape SpecialChar Group Identifier Parameter Identifier " \
                  "Number Number Constant Constant", links, " ")
        for (k = 1; k < n; k += 2) printf "highlight default link sbx%s %s\n", links[k], links[k + 1]
        print "let b:current_syntax = 'sbx'"
    } else {
        print "{\n  \"name\": \"sbx\",\n  \"scopeName\": \"source.sbx\","
        print "  \"fileTypes\": [\"sbx\"],\n  \"patterns\": ["
        print "    { \"name\": \"comment.line.number-sign.sbx\", \"match\": \"#.*$\" },"
        printf "    { \"name\": \"string.quoted.double.sbx\", \"begin\": \"\\\"\", \"end\": \"\\\"|$\", "
        printf "\"patterns\": [{ \"name\": \"constant.character.escape.sbx\", "
        print "\"match\": \"\\\\\\\\(?:[\\\\\\\\\\\"nt]|x[0-9A-Fa-f]{2})\" }] },"
        print "    { \"name\": \"entity.name.tag.sbx\", \"match\": \"@[A-Za-z_][A-Za-z0-9_-]*\" },"
        print "    { \"name\": \"variable.parameter.sbx\", \"match\": \"\\\\$[A-Za-z_][A-Za-z0-9_-]*\" },"
        for (k = 1; k <= 5; k++) {
            printf "    { \"name\": \"%s.sbx\", ", scope[order[k]]
            printf "\"match\": \"(?<![A-Za-z0-9_-])(?:%s)(?![A-Za-z0-9_-])\" },\n", list[order[k]]
        }
        print "    { \"name\": \"support.constant.sbx\", \"match\": \"\\\\b[A-Z][A-Z0-9]*_[A-Z0-9_]*\\\\b\" },"
        printf "    { \"name\": \"constant.numeric.sbx\", \"match\": "
        printf "\"(?<![A-Za-z0-9_])-?(?:0x[0-9A-Fa-f]+|0o[0-7]+|"
        print "[0-9]+(?:\\\\.[0-9]+)?(?:B|KiB|MiB|GiB|ms|s|min|h)?)(?![A-Za-z0-9_])\" }"
        print "  ]\n}"
    }
}
