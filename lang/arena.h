// Memory and text of one compilation.
//
// An arena gives zeroed memory and takes nothing back until it is freed whole; running out of memory ends the process
// with status 3 ("a fault of ours") or another that was asked for, so callers need no check. A `str` is a view of text
// that lives in an arena or a literal.
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

struct arena *arena_new(void);
struct arena *
arena_new_shared(void); // whose memory a process forked from this one sees change; NULL where there is no such memory
void arena_exhausted_exits(int status); // of the process, from here on
void arena_free(struct arena *);
void *arena_alloc(struct arena *, size_t bytes);                                 // zeroed, aligned for any type
void *arena_grow(struct arena *, void *old, size_t old_bytes, size_t new_bytes); // a larger copy; `old` stays valid

// Does some work that may take so much of the arena and so much of the processor's time. What would take more is left
// where it was, without its coming back: what it held besides the arena stays lost until the process ends, so it holds
// no files, and memory only for moments. Within such work already: just does it, as a part of that.
enum arena_end { ARENA_DONE, ARENA_OUT_OF_MEMORY, ARENA_OUT_OF_TIME };
enum arena_end arena_within(struct arena *, size_t bytes, unsigned seconds, void (*work)(void *), void *context);

// Takes the limit off for work that has one of its own, which may not be left in the middle; and puts it back, that
// work's time not counted.
struct allotment *arena_suspend(struct arena *);
void arena_resume(struct arena *, struct allotment *);

// For loops that allocate nothing and go round often: `steps` of about a hundred instructions were done. Where the time
// of arena_within is over, it does not come back.
void arena_spend(struct arena *, size_t steps);

void *scratch_alloc(size_t bytes); // not zeroed, and for free(3), before the caller returns

#define NEW(arena, type) ((type *)arena_alloc((arena), sizeof(type)))
#define NEW_ARRAY(arena, type, count) ((type *)arena_alloc((arena), sizeof(type) * (size_t)(count)))

struct str {
    const char *text; // followed by a NUL when it comes from an arena or a literal
    size_t length;    // bytes
};

#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})

struct str str_from(const char *text);
struct str str_copy(struct arena *, struct str);
struct str str_format(struct arena *, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct str str_vformat(struct arena *, const char *format, va_list);
bool str_equal(struct str, struct str);
bool str_is(struct str, const char *text);
int str_compare(struct str, struct str); // by bytes, as memcmp orders them
bool str_starts(struct str, struct str prefix);

// For printf: ("%.*s", STR_ARGS(s)).
#define STR_ARGS(s) (int)(s).length, (s).text

// A text that grows.
struct text {
    struct arena *arena;
    char *data;
    size_t length, capacity;
};

void text_add(struct text *, const char *bytes, size_t length);
void text_addf(struct text *, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct str text_str(struct text *); // NUL-terminated; valid until the next text_add

// Names to pointers, by hashing.
struct map {
    struct arena *arena;
    struct map_entry *entries;
    size_t count, capacity;
};

void *map_get(const struct map *, struct str key);        // NULL when absent
void *map_put(struct map *, struct str key, void *value); // the value already there, which stays; else NULL

// The name nearest to `wrong` by edit distance among those offered, for "did you mean"; keeps the best in *best.
struct nearest {
    struct str wrong, best;
    int distance;
};
void nearest_offer(struct nearest *, struct str candidate);
