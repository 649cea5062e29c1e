// Source files of one compilation, and places in them.
#include "lang/source.h"

#include <string.h>

struct source *source_add(struct sources *sources, struct str name, struct str folder, struct str text)
{
    if (sources->count == sources->capacity) {
        uint32_t capacity = sources->capacity ? sources->capacity * 2 : 8;
        sources->list = arena_grow(sources->arena, sources->list, sources->count * sizeof *sources->list,
                                   capacity * sizeof *sources->list);
        sources->capacity = capacity;
    }
    struct source *source = NEW(sources->arena, struct source);
    *source = (struct source){
        .number = sources->count + 1, .name = text_shown(sources->arena, name, ""), .folder = folder, .text = text};
    sources->list[sources->count++] = source;
    return source;
}

struct source *source_of(const struct sources *sources, struct span span)
{
    return span.source && span.source <= sources->count ? sources->list[span.source - 1] : NULL;
}

static void find_lines(struct source *source, struct arena *arena)
{
    uint32_t count = 1;
    for (size_t i = 0; i < source->text.length; i++)
        count += source->text.text[i] == '\n';
    source->lines = NEW_ARRAY(arena, uint32_t, count);
    source->line_count = count;
    uint32_t line = 1;
    for (size_t i = 0; i < source->text.length; i++)
        if (source->text.text[i] == '\n')
            source->lines[line++] = (uint32_t)i + 1;
}

static bool starts_character(char c)
{
    return ((unsigned char)c & 0xC0) != 0x80;
}

static bool is_wide(char c) // the start of a character beyond 16 bits
{
    return ((unsigned char)c & 0xF8) == 0xF0;
}

static void count_points(struct source *source, struct arena *arena)
{
    size_t strides = source->text.length / SOURCE_STRIDE + 1;
    source->points = NEW_ARRAY(arena, uint32_t, strides);
    uint32_t count = 0, wide = 0;
    for (size_t i = 0; i < source->text.length; i++) {
        if (i % SOURCE_STRIDE == 0) {
            source->points[i / SOURCE_STRIDE] = count;
            if (source->wide)
                source->wide[i / SOURCE_STRIDE] = wide;
        }
        count += starts_character(source->text.text[i]);
        if (!is_wide(source->text.text[i]))
            continue;
        wide++;
        if (!source->wide)
            source->wide = NEW_ARRAY(arena, uint32_t, strides);
    }
}

// Code points before a byte and, with `wide`, how many of them are so. A file may be one line of megabytes with a rule
// in every corner, so nothing is counted from its start.
static uint32_t points_before(const struct source *source, uint32_t offset, uint32_t *wide)
{
    uint32_t ignored;
    wide = wide ? wide : &ignored;
    *wide = 0;
    if (source->text.length == 0)
        return 0;
    if (offset > source->text.length)
        offset = (uint32_t)source->text.length;
    uint32_t stride = offset < source->text.length ? offset / SOURCE_STRIDE
                                                   : ((uint32_t)source->text.length - 1) / SOURCE_STRIDE,
             count = source->points[stride];
    *wide = source->wide ? source->wide[stride] : 0;
    for (uint32_t i = stride * SOURCE_STRIDE; i < offset; i++) {
        count += starts_character(source->text.text[i]);
        *wide += is_wide(source->text.text[i]);
    }
    return count;
}

void source_index(struct sources *sources, struct source *source)
{
    if (source->lines)
        return;
    find_lines(source, sources->arena);
    count_points(source, sources->arena);
}

static uint32_t line_at(const struct source *source, uint32_t offset)
{
    uint32_t low = 0, high = source->line_count;
    while (high - low > 1) {
        uint32_t middle = (low + high) / 2;
        if (source->lines[middle] <= offset)
            low = middle;
        else
            high = middle;
    }
    return low;
}

uint32_t source_line_of(const struct source *source, uint32_t offset)
{
    return line_at(source, offset) + 1;
}

struct position source_position(const struct source *source, uint32_t offset)
{
    uint32_t line = line_at(source, offset);
    return (struct position){line + 1, points_before(source, offset, NULL) -
                                           points_before(source, source->lines[line], NULL) + 1};
}

struct position source_position_utf16(const struct source *source, uint32_t offset)
{
    uint32_t line = line_at(source, offset), wide, wide_before;
    uint32_t points = points_before(source, offset, &wide) - points_before(source, source->lines[line], &wide_before);
    return (struct position){line, points + wide - wide_before};
}

uint32_t source_offset_utf16(const struct source *source, struct position position)
{
    if (position.line >= source->line_count)
        return (uint32_t)source->text.length;
    uint32_t low = source->lines[position.line], high = low + (uint32_t)source_line(source, position.line + 1).length;
    while (low < high) { // the last place whose column is not beyond
        uint32_t middle = low + (high - low + 1) / 2;
        if (source_position_utf16(source, middle).column <= position.column)
            low = middle;
        else
            high = middle - 1;
    }
    while (low > source->lines[position.line] && low < source->text.length && !starts_character(source->text.text[low]))
        low--;
    return low;
}

struct str source_line(const struct source *source, uint32_t line)
{
    uint32_t start = source->lines[line - 1];
    size_t end = line < source->line_count ? source->lines[line] - 1 : source->text.length;
    if (end > start && source->text.text[end - 1] == '\r')
        end--;
    return (struct str){source->text.text + start, end - start};
}

// The code point at text[i] and its length in bytes; length 0 when it is not UTF-8.
static uint32_t decode(struct str text, size_t i, uint32_t *length)
{
    const unsigned char *p = (const unsigned char *)text.text + i;
    size_t left = text.length - i;
    uint32_t need = p[0] < 0x80                   ? 1
                    : p[0] >= 0xC2 && p[0] < 0xE0 ? 2
                    : p[0] >= 0xE0 && p[0] < 0xF0 ? 3
                    : p[0] >= 0xF0 && p[0] < 0xF5 ? 4
                                                  : 0;
    *length = 0;
    if (!need || need > left)
        return 0;
    uint32_t code = need == 1 ? p[0] : p[0] & (0x7Fu >> need);
    for (uint32_t k = 1; k < need; k++) {
        if ((p[k] & 0xC0) != 0x80)
            return 0;
        code = code << 6 | (p[k] & 0x3Fu);
    }
    bool overlong = (need == 3 && code < 0x800) || (need == 4 && code < 0x10000);
    if (overlong || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000))
        return 0;
    *length = need;
    return code;
}

bool text_is_utf8(struct str text)
{
    uint32_t length = 1;
    for (size_t i = 0; i < text.length && length; i += length)
        decode(text, i, &length);
    return length != 0;
}

static bool is_bidirectional(uint32_t code)
{
    return (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069) || code == 0x200E ||
           code == 0x200F || code == 0x061C;
}

uint32_t text_character(struct str text, uint32_t at, bool *seen)
{
    uint32_t length, code = decode(text, at, &length);
    *seen = length && code >= 0x20 && (code < 0x7F || code >= 0xA0) && !is_bidirectional(code);
    return length ? length : 1;
}

static void add_hidden(struct text *text, const char *bytes, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++)
        text_addf(text, "\\x%02x", (unsigned char)bytes[i]);
}

struct str text_shown(struct arena *arena, struct str value, const char *kept)
{
    struct text text = {.arena = arena};
    uint32_t from = 0;
    for (uint32_t i = 0, length; i < value.length; i += length) {
        bool seen;
        length = text_character(value, i, &seen);
        if (seen || (value.text[i] && strchr(kept, value.text[i])))
            continue;
        text_add(&text, value.text + from, i - from);
        add_hidden(&text, value.text + i, length);
        from = i + length;
    }
    if (!from)
        return value;
    text_add(&text, value.text + from, value.length - from);
    return text_str(&text);
}

void vprint_shown(FILE *out, const char *format, va_list args)
{
    struct arena *arena = arena_new();
    struct str text = text_shown(arena, str_vformat(arena, format, args), "");
    fprintf(out, "%.*s\n", STR_ARGS(text));
    arena_free(arena);
}

void print_shown(FILE *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vprint_shown(out, format, args);
    va_end(args);
}

void text_quote(struct text *text, struct str value)
{
    text_addf(text, "\"");
    for (uint32_t i = 0, length; i < value.length; i += length) {
        bool seen;
        char c = value.text[i];
        length = text_character(value, i, &seen);
        if (c == '"' || c == '\\')
            text_addf(text, "\\%c", c);
        else if (c == '\n' || c == '\t')
            text_addf(text, c == '\n' ? "\\n" : "\\t");
        else if (seen)
            text_add(text, value.text + i, length);
        else
            add_hidden(text, value.text + i, length);
    }
    text_addf(text, "\"");
}

const char *source_flaw(struct str text, uint32_t *where, uint32_t *length)
{
    for (size_t i = 0; i < text.length;) {
        unsigned char c = (unsigned char)text.text[i];
        if (c >= 0x20 && c < 0x7F) { // most of every file
            i++;
            continue;
        }
        uint32_t code = decode(text, i, length);
        *where = (uint32_t)i;
        if (!*length) {
            *length = 1;
            return "a byte that is not UTF-8";
        }
        if (code == 0)
            return "a NUL byte";
        if ((code < 0x20 && code != '\n' && code != '\t' && code != '\r') || code == 0x7F)
            return "a control character";
        if (is_bidirectional(code))
            return "a bidirectional control character, which makes text look different from what it means";
        i += *length;
    }
    return NULL;
}
