// JSON: a canonical writer and a strict reader.
#include "compiler/plan/json.h"

#include <string.h>

#include "lang/source.h"

static void separate(struct json_writer *w)
{
    if (w->after_value)
        text_add(w->text, ",", 1);
    if (w->depth <= (w->lines ? w->lines : 1) && w->after_value)
        text_add(w->text, "\n", 1);
}

void json_open(struct json_writer *w, char bracket)
{
    separate(w);
    text_add(w->text, &bracket, 1);
    w->depth++;
    w->after_value = false;
}

void json_close(struct json_writer *w, char bracket)
{
    text_add(w->text, &bracket, 1);
    w->depth--;
    w->after_value = true;
    if (w->depth == 0)
        text_add(w->text, "\n", 1);
}

static void quote(struct text *text, struct str s)
{
    text_add(text, "\"", 1);
    for (size_t i = 0, start = 0; i <= s.length; i++) {
        unsigned char c = i < s.length ? (unsigned char)s.text[i] : '"';
        if (i < s.length && c >= 0x20 && c < 0x7F && c != '"' && c != '\\')
            continue;
        bool seen = false;
        uint32_t length = i < s.length && c >= 0x7F ? text_character(s, (uint32_t)i, &seen) : 1;
        if (seen || (length == 1 && c >= 0x80)) // which is no text
            continue;
        text_add(text, s.text + start, i - start);
        start = i + length;
        if (i == s.length)
            break;
        const unsigned char *rest = (const unsigned char *)s.text + i;
        if (length > 1) // what a terminal would obey (RFC 3629: all such have two or three bytes)
            text_addf(text, "\\u%04x",
                      length == 2 ? (c & 0x1Fu) << 6 | (rest[1] & 0x3Fu)
                                  : (c & 0x0Fu) << 12 | (rest[1] & 0x3Fu) << 6 | (rest[2] & 0x3Fu));
        else if (c == '"' || c == '\\')
            text_addf(text, "\\%c", c);
        else
            text_addf(text, "\\u%04x", c);
    }
    text_add(text, "\"", 1);
}

void json_key(struct json_writer *w, const char *key)
{
    separate(w);
    quote(w->text, str_from(key));
    text_add(w->text, ":", 1);
    w->after_value = false;
}

void json_string(struct json_writer *w, struct str value)
{
    separate(w);
    quote(w->text, value);
    w->after_value = true;
}

void json_number(struct json_writer *w, uint64_t value)
{
    separate(w);
    text_addf(w->text, "%llu", (unsigned long long)value);
    w->after_value = true;
}

void json_bool(struct json_writer *w, bool value)
{
    separate(w);
    text_addf(w->text, value ? "true" : "false");
    w->after_value = true;
}

void json_null(struct json_writer *w)
{
    separate(w);
    text_addf(w->text, "null");
    w->after_value = true;
}

void json_raw(struct json_writer *w, struct str value)
{
    separate(w);
    text_add(w->text, value.text, value.length);
    w->after_value = true;
}

void json_member(struct json_writer *w, const char *key, struct str value)
{
    json_key(w, key);
    json_string(w, value);
}

void json_member_number(struct json_writer *w, const char *key, uint64_t value)
{
    json_key(w, key);
    json_number(w, value);
}

void json_member_bool(struct json_writer *w, const char *key, bool value)
{
    json_key(w, key);
    json_bool(w, value);
}

void json_open_member(struct json_writer *w, const char *key, char bracket)
{
    json_key(w, key);
    json_open(w, bracket);
}

void json_member_words(struct json_writer *w, const char *key, const char *words)
{
    json_open_member(w, key, '[');
    for (const char *at = words; *at; at += strspn(at, " ")) {
        size_t length = strcspn(at, " ");
        json_string(w, (struct str){at, length});
        at += length;
    }
    json_close(w, ']');
}

// ---- reading ------------------------------------------------------------------------------------------------------

enum { DEPTH_MOST = 64 };

struct reader {
    struct arena *arena;
    const char *text;
    size_t length, at;
    const char *why;
};

static void skip_space(struct reader *r)
{
    while (r->at < r->length &&
           (r->text[r->at] == ' ' || r->text[r->at] == '\n' || r->text[r->at] == '\t' || r->text[r->at] == '\r'))
        r->at++;
}

static bool fail(struct reader *r, const char *why)
{
    if (!r->why)
        r->why = why;
    return false;
}

static bool take(struct reader *r, const char *word)
{
    size_t length = strlen(word);
    if (r->length - r->at < length || memcmp(r->text + r->at, word, length) != 0)
        return false;
    r->at += length;
    return true;
}

static bool read_hex4(struct reader *r, unsigned *value)
{
    *value = 0;
    for (int i = 0; i < 4; i++, r->at++) {
        char c = r->at < r->length ? r->text[r->at] : ' ';
        unsigned digit = c >= '0' && c <= '9'                 ? (unsigned)(c - '0')
                         : (c | 32) >= 'a' && (c | 32) <= 'f' ? (unsigned)((c | 32) - 'a' + 10)
                                                              : 16;
        if (digit == 16)
            return fail(r, "a \\u escape without four hex digits");
        *value = *value * 16 + digit;
    }
    return true;
}

// What stands behind `\u`, as UTF-8: two of them for characters beyond 16 bits (RFC 8259 §7).
static bool read_escaped(struct reader *r, struct text *text)
{
    unsigned code, low;
    if (!read_hex4(r, &code))
        return false;
    if (code >= 0xD800 && code < 0xDC00 && take(r, "\\u")) {
        if (!read_hex4(r, &low))
            return false;
        code = low >= 0xDC00 && low < 0xE000 ? 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00) : 0xD800;
    }
    if (code == 0 || (code >= 0xD800 && code < 0xE000))
        return fail(r, code ? "half of a character" : "a NUL in a string");
    unsigned more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3; // bytes besides the first
    static const unsigned char first[] = {0, 0xC0, 0xE0, 0xF0};
    char bytes[4] = {(char)(first[more] | code >> 6 * more)};
    for (unsigned i = 1; i <= more; i++)
        bytes[i] = (char)(0x80 | (code >> 6 * (more - i) & 0x3F));
    text_add(text, bytes, more + 1);
    return true;
}

static bool read_string(struct reader *r, struct str *value)
{
    if (r->at >= r->length || r->text[r->at] != '"')
        return fail(r, "a string is wanted");
    r->at++;
    struct text text = {.arena = r->arena};
    for (;;) {
        size_t plain = r->at;
        while (r->at < r->length && (unsigned char)r->text[r->at] >= 0x20 && r->text[r->at] != '"' &&
               r->text[r->at] != '\\')
            r->at++;
        struct str run = {r->text + plain, r->at - plain};
        if (r->at >= r->length)
            return fail(r, "a string without an end");
        char c = r->text[r->at++];
        if (c == '"' && !text.length) { // as most are
            *value = str_copy(r->arena, run);
            return true;
        }
        text_add(&text, run.text, run.length);
        if (c == '"')
            break;
        if (c != '\\')
            return fail(r, "a control character in a string");
        char escape = r->at < r->length ? r->text[r->at++] : ' ';
        static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
        const char *found = escape ? strchr(from, escape) : NULL;
        if (found)
            text_add(&text, &to[found - from], 1);
        else if (escape != 'u')
            return fail(r, "an escape that JSON does not have");
        else if (!read_escaped(r, &text))
            return false;
    }
    *value = text_str(&text);
    return true;
}

static bool read_digits(struct reader *r)
{
    size_t start = r->at;
    while (r->at < r->length && r->text[r->at] >= '0' && r->text[r->at] <= '9')
        r->at++;
    return r->at > start || fail(r, "a number without digits");
}

static bool read_number(struct reader *r, struct json *value)
{
    size_t start = r->at;
    value->kind = take(r, "-") ? JSON_OTHER_NUMBER : JSON_NUMBER;
    size_t digits = r->at;
    if (!read_digits(r))
        return false;
    if (r->text[digits] == '0' && r->at - digits > 1)
        return fail(r, "a number that starts with 0");
    for (size_t i = digits; i < r->at && value->kind == JSON_NUMBER; i++)
        if (__builtin_mul_overflow(value->number, 10u, &value->number) ||
            __builtin_add_overflow(value->number, (uint64_t)(r->text[i] - '0'), &value->number))
            value->kind = JSON_OTHER_NUMBER;
    if (take(r, ".")) {
        value->kind = JSON_OTHER_NUMBER;
        if (!read_digits(r))
            return false;
    }
    if (take(r, "e") || take(r, "E")) {
        value->kind = JSON_OTHER_NUMBER;
        if (!take(r, "-"))
            take(r, "+");
        if (!read_digits(r))
            return false;
    }
    value->text = (struct str){r->text + start, r->at - start};
    return true;
}

static bool read_value(struct reader *r, struct json *value, int depth);

static bool read_members(struct reader *r, struct json *value, int depth)
{
    bool object = r->text[r->at++] == '{';
    char end = object ? '}' : ']';
    value->kind = object ? JSON_OBJECT : JSON_ARRAY;
    struct json **last = &value->first;
    struct map seen = {.arena = r->arena};
    skip_space(r);
    if (r->at < r->length && r->text[r->at] == end) {
        r->at++;
        return true;
    }
    for (;;) {
        struct json *member = NEW(r->arena, struct json);
        skip_space(r);
        if (object) {
            if (!read_string(r, &member->key))
                return false;
            if (map_put(&seen, member->key, member))
                return fail(r, "a member that stands there twice");
            skip_space(r);
            if (!take(r, ":"))
                return fail(r, "a `:` is wanted");
        }
        if (!read_value(r, member, depth + 1))
            return false;
        *last = member;
        last = &member->next;
        value->count++;
        skip_space(r);
        if (take(r, ","))
            continue;
        if (r->at < r->length && r->text[r->at] == end) {
            r->at++;
            return true;
        }
        return fail(r, "a `,` or an end is wanted");
    }
}

static bool read_any(struct reader *r, struct json *value, int depth)
{
    if (depth > DEPTH_MOST)
        return fail(r, "too deeply nested");
    char c = r->at < r->length ? r->text[r->at] : '\0';
    if (c == '{' || c == '[')
        return read_members(r, value, depth);
    if (c == '"') {
        value->kind = JSON_STRING;
        return read_string(r, &value->text);
    }
    if (c == '-' || (c >= '0' && c <= '9'))
        return read_number(r, value);
    value->kind = take(r, "true") ? JSON_TRUE : take(r, "false") ? JSON_FALSE : JSON_NULL;
    if (value->kind == JSON_NULL && !take(r, "null"))
        return fail(r, "a value is wanted");
    return true;
}

static bool read_value(struct reader *r, struct json *value, int depth)
{
    skip_space(r);
    value->start = (uint32_t)r->at;
    bool good = read_any(r, value, depth);
    value->end = (uint32_t)r->at;
    return good;
}

struct json *json_parse(struct arena *arena, struct str text, const char **why, size_t *where)
{
    struct reader r = {arena, text.text, text.length, 0, NULL};
    struct json *value = NEW(arena, struct json);
    bool good = read_value(&r, value, 0);
    skip_space(&r);
    if (good && r.at != r.length)
        good = fail(&r, "something follows the end");
    *why = r.why;
    *where = r.at;
    return good ? value : NULL;
}

const struct json *json_get(const struct json *object, const char *key)
{
    if (object && object->kind == JSON_OBJECT)
        for (const struct json *member = object->first; member; member = member->next)
            if (str_is(member->key, key))
                return member;
    return NULL;
}
