// Source files of one compilation, and places in them.
#pragma once

#include <stdarg.h>
#include <stdio.h>

#include "lang/arena.h"

struct span { // bytes [start, end) of a source; source 0 is no place at all
    uint32_t source, start, end;
};

struct source {
    uint32_t number; // from 1
    struct str name; // as messages show it (text_shown)
    struct str
        folder; // where its relative paths start: absolute, no trailing slash; "" for the caller's working directory
    struct str text;
    bool is_library;  // part of the standard library
    uint32_t *lines;  // where each line starts
    uint32_t *points; // how many code points stand before every SOURCE_STRIDE-th byte
    uint32_t *wide;   // and how many of them UTF-16 writes as two units; NULL when there is none
    uint32_t line_count;
};

struct sources {
    struct arena *arena;
    struct source **list;
    uint32_t count, capacity;
};

enum { SOURCE_STRIDE = 512, SOURCE_LARGEST = 8 * 1024 * 1024 }; // bytes; a larger file is refused

struct source *source_add(struct sources *, struct str name, struct str folder, struct str text);
struct source *source_of(const struct sources *, struct span); // NULL for no place

// Finds the lines of a source, once; source_position and source_line need it.
void source_index(struct sources *, struct source *);

struct position {
    uint32_t line;   // from 1
    uint32_t column; // from 1, in Unicode code points
};
struct position source_position(const struct source *, uint32_t offset);
struct str source_line(const struct source *, uint32_t line);    // without its end
uint32_t source_line_of(const struct source *, uint32_t offset); // from 1

// The same as editors count: lines from 0, columns from 0 in units of UTF-16 (Language Server Protocol 3.17). What lies
// beyond a line's or the file's end, or within a character, is the nearest place before it.
struct position source_position_utf16(const struct source *, uint32_t offset);
uint32_t source_offset_utf16(const struct source *, struct position);

bool text_is_utf8(struct str); // RFC 3629

// What is wrong with a text as UTF-8 policy source, at *where; NULL when nothing is. Refuses malformed UTF-8 (RFC
// 3629), NUL, other control characters, and the bidirectional controls that make text read otherwise than it means
// (Trojan Source).
const char *source_flaw(struct str text, uint32_t *where, uint32_t *length);

// How long the character at `at` is. *seen: a reader sees it as it is, and no terminal obeys it; else it is a control,
// bidirectional ones too, or a byte that is not UTF-8.
uint32_t text_character(struct str text, uint32_t at, bool *seen);

// A text of somebody's as a reader may be shown it: what no terminal shows, or would obey, is written as \xNN, but for
// the characters of `kept` ("\n\t"). The text itself where there is nothing of that.
struct str text_shown(struct arena *, struct str, const char *kept);

// Prints a line in which names may be a stranger's: shown, and ended.
void print_shown(FILE *, const char *format, ...) __attribute__((format(printf, 2, 3)));
void vprint_shown(FILE *, const char *format, va_list) __attribute__((format(printf, 2, 0)));

// A string as the language writes it, quotes and escapes included: what a reader would not see is written as \xNN.
void text_quote(struct text *, struct str);

static inline struct span span_join(struct span a, struct span b)
{
    return (struct span){a.source, a.start, b.end > a.start ? b.end : a.end};
}
