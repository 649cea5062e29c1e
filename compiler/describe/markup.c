// Escaping for Markdown and HTML.
#include "compiler/describe/markup.h"

#include <string.h>

// Only where it would be markup (CommonMark 0.31): some characters anywhere, some where a line may start.
void markdown_add(struct text *out, struct str text)
{
    size_t digits = 0;
    while (digits < text.length && text.text[digits] >= '0' && text.text[digits] <= '9')
        digits++;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.text[i];
        if (c == '\n') {
            text_add(out, " ", 1);
            continue;
        }
        bool starts = i == 0 && strchr("-+#=", c), numbers = digits && i == digits && strchr(".)", c);
        if (starts || numbers || strchr("\\`*_[]<>|~&$", c))
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
