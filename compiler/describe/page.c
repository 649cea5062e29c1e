// Pages: the pieces, and how Markdown and HTML spell them.
#include "compiler/describe/page.h"

#include <string.h>

#include "compiler/describe/markup.h"
#include "lang/source.h"

// ---- the pieces ---------------------------------------------------------------------------------------------------

// Whatever is given may hold names of a stranger's.
static struct str shown(const struct page *page, struct str text)
{
    return text_shown(page->arena, text, "\n\t");
}

void page_begin(struct page *page, struct arena *arena, struct text *out, const struct page_markup *markup,
                struct str title)
{
    *page = (struct page){.out = out, .markup = markup, .arena = arena};
    markup->begin(page, shown(page, title));
}

void page_end(struct page *page)
{
    page->markup->end(page);
}

void page_heading(struct page *page, unsigned level, const char *text)
{
    page->headings++;
    page->markup->heading(page, level, str_from(text));
}

void page_run(struct page *page, enum page_style style, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    struct str text = shown(page, str_vformat(page->arena, format, args));
    va_end(args);
    if (text.length)
        page->markup->run(page, style, text);
}

void page_paragraph(struct page *page, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    struct str text = shown(page, str_vformat(page->arena, format, args));
    va_end(args);
    page->markup->paragraph(page, true);
    page->markup->run(page, PAGE_PLAIN, text);
    page->markup->paragraph(page, false);
}

void page_table(struct page *page, const char *const *headers, size_t columns)
{
    page->in_table = true;
    page->columns = columns;
    page->markup->table(page, headers, true);
}

void page_table_end(struct page *page)
{
    page->markup->table(page, NULL, false);
    page->in_table = false;
}

void page_row(struct page *page)
{
    page->markup->row(page, true);
}

void page_row_end(struct page *page)
{
    page->markup->row(page, false);
}

void page_cell(struct page *page)
{
    page->markup->cell(page, true);
}

void page_cell_end(struct page *page)
{
    page->markup->cell(page, false);
}

void page_cell_text(struct page *page, enum page_style style, struct str text)
{
    page_cell(page);
    if (text.length)
        page->markup->run(page, style, shown(page, text));
    page_cell_end(page);
}

void page_block(struct page *page, struct str text)
{
    page->markup->block(page, shown(page, text));
}

void page_fold(struct page *page, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    page->markup->fold(page, shown(page, str_vformat(page->arena, format, args)), true);
    va_end(args);
}

void page_fold_end(struct page *page)
{
    page->markup->fold(page, STR(""), false);
}

// ---- Markdown (CommonMark, with the tables of GitHub) -------------------------------------------------------------

static void markdown_begin(struct page *page, struct str title)
{
    text_addf(page->out, "# ");
    markdown_add(page->out, title);
    text_addf(page->out, "\n");
}

static void markdown_end(struct page *page)
{
    (void)page;
}

static void markdown_heading(struct page *page, unsigned level, struct str text)
{
    text_addf(page->out, "\n%.*s ", (int)level, "######");
    markdown_add(page->out, text);
    text_addf(page->out, "\n");
}

static void markdown_paragraph(struct page *page, bool open)
{
    text_addf(page->out, "\n");
    (void)open;
}

// A code span's fence is longer than any in it; in a table even there a `|` would end the cell.
static void markdown_code(struct page *page, struct str text)
{
    size_t longest = 0, run = 0;
    for (size_t i = 0; i < text.length; i++) {
        run = text.text[i] == '`' ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    bool pad = text.text[0] == '`' || text.text[text.length - 1] == '`';
    for (size_t i = 0; i <= longest; i++)
        text_add(page->out, "`", 1);
    if (pad)
        text_add(page->out, " ", 1);
    for (size_t i = 0; i < text.length; i++) {
        if (page->in_table && text.text[i] == '|')
            text_add(page->out, "\\", 1);
        text_add(page->out, text.text[i] == '\n' ? " " : text.text + i, 1);
    }
    if (pad)
        text_add(page->out, " ", 1);
    for (size_t i = 0; i <= longest; i++)
        text_add(page->out, "`", 1);
}

static void markdown_run(struct page *page, enum page_style style, struct str text)
{
    if (style == PAGE_CODE) {
        markdown_code(page, text);
        return;
    }
    const char *mark = style == PAGE_STRONG ? "**" : "";
    text_addf(page->out, "%s", mark);
    markdown_add(page->out, text);
    text_addf(page->out, "%s", mark);
}

static void markdown_table(struct page *page, const char *const *headers, bool open)
{
    if (!open)
        return;
    text_addf(page->out, "\n|");
    for (size_t i = 0; i < page->columns; i++)
        text_addf(page->out, " %s |", headers[i]);
    text_addf(page->out, "\n|");
    for (size_t i = 0; i < page->columns; i++)
        text_addf(page->out, " --- |");
    text_addf(page->out, "\n");
}

static void markdown_row(struct page *page, bool open)
{
    text_addf(page->out, open ? "|" : "\n");
}

static void markdown_cell(struct page *page, bool open)
{
    text_addf(page->out, open ? " " : " |");
}

static void markdown_block(struct page *page, struct str text)
{
    text_addf(page->out, "\n"); // indented, so that no fence in it can end it
    for (size_t at = 0; at < text.length;) {
        const char *end = memchr(text.text + at, '\n', text.length - at);
        size_t length = end ? (size_t)(end - text.text) - at : text.length - at;
        text_addf(page->out, "    %.*s\n", (int)length, text.text + at);
        at += length + 1;
    }
}

static void markdown_fold(struct page *page, struct str title, bool open)
{
    if (!open) {
        text_addf(page->out, "\n</details>\n");
        return;
    }
    text_addf(page->out, "\n<details><summary>");
    html_add(page->out, title);
    text_addf(page->out, "</summary>\n");
}

const struct page_markup page_markdown = {
    markdown_begin, markdown_end, markdown_heading, markdown_paragraph, markdown_run,
    markdown_table, markdown_row, markdown_cell,    markdown_block,     markdown_fold,
};

// ---- HTML, in one file that asks nothing of anybody ---------------------------------------------------------------

static const char style[] =
    ":root{color-scheme:light dark;--line:#8884;--soft:#8881;--faint:#666}\n"
    "@media(prefers-color-scheme:dark){:root{--faint:#aaa}}\n"
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:66rem;margin:0 auto;padding:1.5rem}\n"
    "h1{font-size:1.7rem;line-height:1.25;margin:0 0 1rem}\n"
    "h2{font-size:1.25rem;margin:2.2rem 0 .6rem;padding-top:.6rem;border-top:1px solid var(--line)}\n"
    "table{border-collapse:collapse;width:100%;margin:.6rem 0;font-size:.93rem}\n"
    "th,td{text-align:left;vertical-align:top;padding:.3rem .9rem .3rem 0;border-bottom:1px solid var(--line)}\n"
    "th{font-weight:600;white-space:nowrap}\n"
    "code,pre{font-family:ui-monospace,monospace;font-size:.88em}\n"
    "code{overflow-wrap:break-word}\n"
    "td:first-child{min-width:9rem}\n"
    ".facts td:first-child{width:11rem}\n"
    "pre{background:var(--soft);padding:.8rem;overflow-x:auto;line-height:1.4}\n"
    ".faint{color:var(--faint)}\n"
    "details{margin:.6rem 0}\n"
    "summary{cursor:pointer}\n"
    "@media "
    "print{html{font-size:9pt}body{max-width:none;padding:0}h2{margin-top:1rem;break-after:avoid}tr{break-inside:avoid}"
    "thead{display:table-header-group}"
    "pre{white-space:pre-wrap;overflow-wrap:anywhere}summary{list-style:none;font-weight:600}}\n"
    "@page{margin:18mm 15mm}\n";

// Print shows what is folded: no style sheet can open a fold in every browser.
static const char script[] =
    "addEventListener('beforeprint',()=>document.querySelectorAll('details:not([open])').forEach(d=>{d.open=d.dataset."
    "printed=true}));\n"
    "addEventListener('afterprint',()=>document.querySelectorAll('details[data-printed]').forEach(d=>{d.open=false;"
    "delete d.dataset.printed}));\n";

static void html_begin(struct page *page, struct str title)
{
    text_addf(page->out,
              "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
              "content=\"width=device-width\">\n<title>");
    html_add(page->out, title);
    text_addf(page->out, "</title>\n<style>\n%s</style>\n</head>\n<body>\n<main>\n<h1>", style);
    html_add(page->out, title);
    text_addf(page->out, "</h1>\n");
}

static void html_end(struct page *page)
{
    text_addf(page->out, "</main>\n<script>\n%s</script>\n</body>\n</html>\n", script);
}

static void html_heading(struct page *page, unsigned level, struct str text)
{
    text_addf(page->out, "<h%u id=\"part-%u\">", level, page->headings);
    html_add(page->out, text);
    text_addf(page->out, "</h%u>\n", level);
}

static void html_paragraph(struct page *page, bool open)
{
    text_addf(page->out, open ? "<p>" : "</p>\n");
}

static void html_run(struct page *page, enum page_style kind, struct str text)
{
    static const char *const tags[][2] = {
        {"", ""}, {"<code>", "</code>"}, {"<strong>", "</strong>"}, {"<span class=\"faint\">", "</span>"}};
    text_addf(page->out, "%s", tags[kind][0]);
    html_add(page->out, text);
    text_addf(page->out, "%s", tags[kind][1]);
}

static void html_table(struct page *page, const char *const *headers, bool open)
{
    if (!open) {
        text_addf(page->out, "</tbody></table>\n");
        return;
    }
    bool named = false;
    for (size_t i = 0; i < page->columns; i++)
        named |= headers[i][0] != '\0';
    text_addf(page->out, named ? "<table>" : "<table class=\"facts\">");
    if (named) {
        text_addf(page->out, "<thead><tr>");
        for (size_t i = 0; i < page->columns; i++)
            text_addf(page->out, "<th scope=\"col\">%s</th>", headers[i]);
        text_addf(page->out, "</tr></thead>");
    }
    text_addf(page->out, "<tbody>\n");
}

static void html_row(struct page *page, bool open)
{
    text_addf(page->out, open ? "<tr>" : "</tr>\n");
}

static void html_cell(struct page *page, bool open)
{
    text_addf(page->out, open ? "<td>" : "</td>");
}

static void html_block(struct page *page, struct str text)
{
    text_addf(page->out, "<pre>");
    html_add(page->out, text);
    text_addf(page->out, "</pre>\n");
}

static void html_fold(struct page *page, struct str title, bool open)
{
    if (!open) {
        text_addf(page->out, "</details>\n");
        return;
    }
    text_addf(page->out, "<details><summary>");
    html_add(page->out, title);
    text_addf(page->out, "</summary>\n");
}

const struct page_markup page_html = {
    html_begin, html_end, html_heading, html_paragraph, html_run,
    html_table, html_row, html_cell,    html_block,     html_fold,
};
