// Escaping for Markdown and HTML.
#include "compiler/describe/markup.h"

#include <string.h>

void markdown_add(struct text *out, struct str text)
{
    for (size_t i = 0; i < text.length; i++) {
        char c = text.text[i];
        if (c == '\n') {
            text_add(out, " ", 1);
            continue;
        }
        if (strchr("\\`*_{}[]<>()#+-!|~&$", c)) // CommonMark 0.31, "Backslash escapes"
            text_add(out, "\\", 1);
        text_add(out, &c, 1);
    }
}

void html_add(struct text *out, struct str text)
{
    for (size_t i = 0; i < text.length; i++) {
        char c = text.text[i];
        const char *entity = c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : c == '"' ? "&quot;" : NULL;
        if (entity)
            text_addf(out, "%s", entity);
        else
            text_add(out, &c, 1);
    }
}
