// JSON: a writer whose output is canonical, and a strict reader for untrusted input.
//
// Canonical: members in the order the caller gives, no spaces but a line for each member of the outermost object, one
// spelling for every string and number. Numbers are unsigned 64-bit integers, exactly: that is why this is not cJSON,
// whose numbers are doubles. The reader takes RFC 8259 less duplicate members, NUL in strings, and nesting past 64;
// other numbers are a kind of their own.
#pragma once

#include "lang/arena.h"

struct json_writer {
    struct text *text;
    int depth;
    bool after_value;
    int lines; // down to which depth each member or element has a line; 0: as canonical
};

void json_open(struct json_writer *, char bracket); // '{' or '['
void json_close(struct json_writer *, char bracket);
void json_key(struct json_writer *, const char *key);
void json_string(struct json_writer *, struct str);
void json_number(struct json_writer *, uint64_t);
void json_bool(struct json_writer *, bool);
void json_null(struct json_writer *);
void json_raw(struct json_writer *, struct str value); // JSON already
// A member of the open object.
void json_member(struct json_writer *, const char *key, struct str value);
void json_member_number(struct json_writer *, const char *key, uint64_t value);
void json_member_bool(struct json_writer *, const char *key, bool value);
void json_member_words(struct json_writer *, const char *key, const char *words); // an array: what spaces part
void json_open_member(struct json_writer *, const char *key, char bracket);

enum json_kind {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,       // a whole one from 0 on, of 64 bits
    JSON_OTHER_NUMBER, // negative, with a fraction or exponent, or larger: only its text
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

struct json {
    enum json_kind kind;
    struct str key; // of a member
    struct str text;
    uint64_t number;
    struct json *first, *next; // elements or members
    size_t count;
    uint32_t start, end; // where its text stands, in bytes
};

// NULL when the text is not such JSON; then *why says what is wrong at byte *where.
struct json *json_parse(struct arena *, struct str, const char **why, size_t *where);
const struct json *json_get(const struct json *object, const char *key); // NULL when absent or not an object
