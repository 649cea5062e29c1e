// Diagnostics as text: the message, the lines it is about with carets under them, help.
#include <string.h>
#include <wchar.h>

#include "compiler/report/report.h"

enum { TAB = 4, EXCERPT_MOST = 160 };

struct style {
    const char *bold, *error, *warning, *blue, *reset;
};

static const struct style plain = {"", "", "", "", ""};
static const struct style colored = {"\033[1m", "\033[1;31m", "\033[1;33m", "\033[1;34m", "\033[0m"};

// Cells a code point takes on a terminal: none for combining marks, two for wide scripts (Unicode East Asian Width W
// and F, abridged to whole blocks).
static int cells_of(uint32_t c)
{
    if ((c >= 0x300 && c <= 0x36F) || (c >= 0x1AB0 && c <= 0x1AFF) || (c >= 0x20D0 && c <= 0x20FF) ||
        (c >= 0xFE00 && c <= 0xFE0F) || c == 0x200D || c == 0x200B)
        return 0;
    if ((c >= 0x1100 && c <= 0x115F) || (c >= 0x2E80 && c <= 0xA4CF) || (c >= 0xAC00 && c <= 0xD7A3) ||
        (c >= 0xF900 && c <= 0xFAFF) || (c >= 0xFE30 && c <= 0xFE6F) || (c >= 0xFF00 && c <= 0xFF60) ||
        (c >= 0xFFE0 && c <= 0xFFE6) || (c >= 0x1F300 && c <= 0x1F64F) || (c >= 0x1F900 && c <= 0x1F9FF) ||
        (c >= 0x20000 && c <= 0x3FFFD))
        return 2;
    return 1;
}

// One that is not seen takes what text_shown makes of it.
static size_t next_character(struct str line, size_t at, int column, int *cells)
{
    unsigned char c = (unsigned char)line.text[at];
    bool seen;
    size_t length = text_character(line, (uint32_t)at, &seen);
    if (!seen && c != '\t')
        return *cells = 4 * (int)length, length;
    uint32_t code = length == 1 ? c : c & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++)
        code = code << 6 | ((unsigned char)line.text[at + i] & 0x3Fu);
    *cells = c == '\t' ? TAB - column % TAB : cells_of(code);
    return length;
}

struct mark {
    struct span span;
    struct str text;
    bool primary;
    uint32_t line;
};

static int digits_of(uint32_t n)
{
    int digits = 1;
    for (; n >= 10; n /= 10)
        digits++;
    return digits;
}

static void print_line(FILE *out, const struct source *source, const struct mark *mark, int gutter,
                       const struct style *style, const char *accent, struct arena *arena)
{
    struct str line = source_line(source, mark->line);
    uint32_t line_start = source->lines[mark->line - 1];
    size_t from = mark->span.start - line_start,
           to = mark->span.end > line_start + line.length ? line.length : mark->span.end - line_start;
    size_t begin = 0;
    if (line.length > EXCERPT_MOST && from > EXCERPT_MOST / 2) { // a window of a very long line
        begin = from - EXCERPT_MOST / 2;
        while (begin < line.length && ((unsigned char)line.text[begin] & 0xC0) == 0x80)
            begin++;
    }
    fprintf(out, "%s%*u |%s %s", style->blue, gutter, mark->line, style->reset, begin ? "…" : "");
    int column = begin ? 1 : 0, start = -1, end = -1;
    for (size_t i = begin; i < line.length && i < begin + EXCERPT_MOST;) {
        int cells;
        size_t length = next_character(line, i, column, &cells);
        if (start < 0 && i >= from)
            start = column;
        struct str shown = text_shown(arena, (struct str){line.text + i, length}, "");
        if (line.text[i] == '\t')
            fprintf(out, "%*s", cells, "");
        else
            fwrite(shown.text, 1, shown.length, out);
        column += cells;
        i += length;
        if (i <= to)
            end = column;
    }
    if (start < 0)
        start = column;
    if (end <= start)
        end = start + 1;
    fprintf(out, "%s\n%s%*s |%s %*s%s", line.length > begin + EXCERPT_MOST ? "…" : "", style->blue, gutter, "",
            style->reset, start, "", mark->primary ? accent : style->blue);
    for (int i = start; i < end; i++)
        fputc(mark->primary ? '^' : '-', out);
    if (mark->text.length)
        fprintf(out, " %.*s", STR_ARGS(mark->text));
    fprintf(out, "%s\n", style->reset);
}

static void print_diagnostic(FILE *out, const struct compilation *compilation, const struct diagnostic *d,
                             const struct style *style)
{
    const char *accent = d->severity == SEVERITY_ERROR ? style->error : style->warning;
    fprintf(out, "%s%s[%s]%s%s: %.*s%s\n", accent, d->severity == SEVERITY_ERROR ? "error" : "warning",
            diagnostic_code(d->code), style->reset, style->bold, STR_ARGS(d->message), style->reset);
    struct mark marks[16];
    size_t count = 0;
    marks[count++] = (struct mark){d->span, d->label, true, 0};
    for (const struct label *label = d->others; label && count < 16; label = label->next)
        marks[count++] = (struct mark){label->span, label->text, false, 0};
    int gutter = 1;
    for (size_t i = 0; i < count; i++) {
        const struct source *source = source_of(&compilation->sources, marks[i].span);
        marks[i].line = source ? source_position(source, marks[i].span.start).line : 0;
        if (digits_of(marks[i].line) > gutter)
            gutter = digits_of(marks[i].line);
    }
    const struct source *shown = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct source *source = source_of(&compilation->sources, marks[i].span);
        if (!source)
            continue;
        if (source != shown) {
            struct position at = source_position(source, marks[i].span.start);
            fprintf(out, "%s%*s%s %.*s:%u:%u\n%s%*s |%s\n", style->blue, gutter + 3, i ? "::: " : "--> ", style->reset,
                    STR_ARGS(source->name), at.line, at.column, style->blue, gutter, "", style->reset);
            shown = source;
        } else if (marks[i].line != marks[i - 1].line) {
            fprintf(out, "%s%*s ⋮%s\n", style->blue, gutter, "", style->reset);
        }
        print_line(out, source, &marks[i], gutter, style, accent, compilation->arena);
    }
    if (d->help.length)
        fprintf(out, "%s%*s |\n%*s =%s help: %.*s\n", style->blue, gutter, "", gutter, "", style->reset,
                STR_ARGS(d->help));
    fputc('\n', out);
}

void report_text(FILE *out, const struct compilation *compilation, bool color)
{
    const struct diagnostics *diagnostics = &compilation->diagnostics;
    for (const struct diagnostic *d = diagnostics->first; d; d = d->next)
        print_diagnostic(out, compilation, d, color ? &colored : &plain);
    if (diagnostics->full)
        fprintf(out, "%d findings of a kind are shown; there are more\n", DIAGNOSTICS_MOST);
}
