// A page for people, written piece by piece: the same in Markdown and in HTML.
//
// Whatever is given as text is text: nothing in it is markup. Headings, paragraphs, tables, blocks of text and folds
// stand one after the other; paragraphs and cells are made of runs. A fold is closed at first, and open when it is
// printed.
#pragma once

#include "lang/arena.h"

enum page_style { PAGE_PLAIN, PAGE_CODE, PAGE_STRONG, PAGE_FAINT };

struct page {
    struct text *out;
    const struct page_markup *markup;
    struct arena *arena;
    bool in_table;
    size_t columns;    // of the table
    unsigned headings; // so far
};

struct page_markup { // how a form spells each piece
    void (*begin)(struct page *, struct str title);
    void (*end)(struct page *);
    void (*heading)(struct page *, unsigned level, struct str text);
    void (*paragraph)(struct page *, bool open);
    void (*run)(struct page *, enum page_style, struct str text);
    void (*table)(struct page *, const char *const *headers, bool open);
    void (*row)(struct page *, bool open);
    void (*cell)(struct page *, bool open);
    void (*block)(struct page *, struct str text); // of lines
    void (*fold)(struct page *, struct str title, bool open);
};
extern const struct page_markup page_markdown, page_html;

void page_begin(struct page *, struct arena *, struct text *out, const struct page_markup *, struct str title);
void page_end(struct page *);
void page_heading(struct page *, unsigned level, const char *text); // level from 2; the title is the first
void page_paragraph(struct page *, const char *format, ...) __attribute__((format(printf, 2, 3))); // a whole one, plain
void page_run(struct page *, enum page_style, const char *format, ...) __attribute__((format(printf, 3, 4)));
void page_table(struct page *, const char *const *headers, size_t columns); // headers end with NULL
void page_table_end(struct page *);
void page_row(struct page *);
void page_row_end(struct page *);
void page_cell(struct page *);
void page_cell_end(struct page *);
void page_cell_text(struct page *, enum page_style, struct str); // a whole cell
void page_block(struct page *, struct str text);
void page_fold(struct page *, const char *format, ...) __attribute__((format(printf, 2, 3)));
void page_fold_end(struct page *);
