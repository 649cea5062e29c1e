// Literals: numbers with units, addresses, strings.
#include "lang/parse.h"

#include <arpa/inet.h>
#include <string.h>

static const struct unit {
    const char *name;
    enum expr_kind kind;
    uint64_t factor; // bytes, or milliseconds
} units[] = {
    {"B", EXPR_SIZE, 1},
    {"KiB", EXPR_SIZE, 1ull << 10},
    {"MiB", EXPR_SIZE, 1ull << 20},
    {"GiB", EXPR_SIZE, 1ull << 30},
    {"ms", EXPR_DURATION, 1},
    {"s", EXPR_DURATION, 1000},
    {"min", EXPR_DURATION, 60 * 1000},
    {"h", EXPR_DURATION, 3600 * 1000},
};

// What people write for a unit that is not one.
static const struct {
    const char *wrong, *right;
} unit_habits[] = {
    {"K", "KiB"},       {"k", "KiB"},    {"KB", "KiB"},  {"kB", "KiB"},   {"kb", "KiB"},    {"Kb", "KiB"},
    {"Ki", "KiB"},      {"M", "MiB"},    {"m", "MiB"},   {"MB", "MiB"},   {"mb", "MiB"},    {"Mb", "MiB"},
    {"Mi", "MiB"},      {"G", "GiB"},    {"g", "GiB"},   {"GB", "GiB"},   {"gb", "GiB"},    {"Gb", "GiB"},
    {"Gi", "GiB"},      {"sec", "s"},    {"secs", "s"},  {"second", "s"}, {"seconds", "s"}, {"minute", "min"},
    {"minutes", "min"}, {"mins", "min"}, {"hr", "h"},    {"hour", "h"},   {"hours", "h"},   {"b", "B"},
    {"bytes", "B"},     {"kib", "KiB"},  {"mib", "MiB"}, {"gib", "GiB"},
};

static void report_unit(struct parse *parse, struct span span, struct str unit, const char *digits, size_t digit_count)
{
    struct span place = {span.source, span.start + (uint32_t)digit_count, span.end};
    const char *right = NULL;
    for (size_t i = 0; i < sizeof unit_habits / sizeof *unit_habits; i++)
        if (str_is(unit, unit_habits[i].wrong))
            right = unit_habits[i].right;
    struct diagnostic *d = diagnose(parse->diagnostics, SBX0107, place, STR_ARGS(unit));
    if (str_is(unit, "m"))
        diagnostic_label(
            parse->diagnostics, d, place,
            "sizes are counted in B, KiB, MiB, GiB and times in ms, s, min, h: did you mean `%.*sMiB` or `%.*smin`?",
            (int)digit_count, digits, (int)digit_count, digits);
    else if (right)
        diagnostic_label(parse->diagnostics, d, place,
                         "sizes are counted in B, KiB, MiB, GiB and times in ms, s, min, h: did you mean `%.*s%s`?",
                         (int)digit_count, digits, right);
    else
        diagnostic_label(parse->diagnostics, d, place,
                         "sizes are counted in B, KiB, MiB, GiB and times in ms, s, min, h");
    if (right && !str_is(unit, "m"))
        diagnostic_fix(parse->diagnostics, d, false, place, "%s", right);
}

// Reads digits of a base into *value; false when they do not fit 64 bits.
static bool read_digits(const char *text, size_t length, unsigned base, uint64_t *value)
{
    *value = 0;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        unsigned digit = c <= '9' ? c - (unsigned)'0' : (c | 32u) - 'a' + 10;
        if (__builtin_mul_overflow(*value, base, value) || __builtin_add_overflow(*value, digit, value))
            return false;
    }
    return true;
}

static size_t count_of(const char *text, size_t length, const char *set)
{
    size_t n = 0;
    while (n < length && text[n] && strchr(set, text[n]))
        n++;
    return n;
}

struct expr *literal_number(struct parse *parse, struct span span, const char *text, size_t length)
{
    struct expr *expr = NEW(parse->arena, struct expr);
    *expr = (struct expr){.kind = EXPR_INT, .span = span};
    if (text[0] == '-') {
        expr->prefix.length = 1; // marks a negative number; only conditions take one
        text++, length--;
    }
    bool fits;
    if (length > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'o')) {
        unsigned base = text[1] == 'x' ? 16 : 8;
        size_t digits = count_of(text + 2, length - 2, base == 16 ? "0123456789abcdefABCDEF" : "01234567");
        if (digits != length - 2) {
            diagnostic_label(parse->diagnostics, diagnose(parse->diagnostics, SBX0108, span, (int)length, text), span,
                             base == 16 ? "0x is followed by 0-9 and a-f" : "0o is followed by 0-7");
            return expr;
        }
        fits = read_digits(text + 2, digits, base, &expr->number);
    } else {
        size_t digits = count_of(text, length, "0123456789");
        fits = read_digits(text, digits, 10, &expr->number);
        size_t used = digits;
        if (used < length && text[used] == '.') {
            size_t fraction = count_of(text + used + 1, length - used - 1, "0123456789");
            uint64_t part;
            expr->kind = EXPR_DECIMAL;
            if (fraction > 3 || !read_digits(text + used + 1, fraction, 10, &part) ||
                __builtin_mul_overflow(expr->number, 1000u, &expr->number)) {
                diagnostic_label(parse->diagnostics, diagnose(parse->diagnostics, SBX0108, span, (int)length, text),
                                 span, "at most three digits after the point");
                return expr;
            }
            for (size_t i = fraction; i < 3; i++)
                part *= 10;
            expr->number += part;
            used += 1 + fraction;
        } else if (length > 1 && text[0] == '0' && used == length && digits > 1) {
            diagnostic_label(parse->diagnostics, diagnose(parse->diagnostics, SBX0109, span, (int)length, text), span,
                             "octal is written `0o%.*s`", (int)length - 1, text + 1);
        }
        if (used < length) {
            const struct unit *unit = NULL;
            for (size_t i = 0; i < sizeof units / sizeof *units; i++)
                if (str_is((struct str){text + used, length - used}, units[i].name))
                    unit = &units[i];
            if (!unit) {
                report_unit(parse, span, (struct str){parse->source->text.text + span.start + used, length - used},
                            text, used);
                expr->flawed = true;
                expr->kind = EXPR_SIZE;
                return expr;
            }
            if (expr->kind == EXPR_DECIMAL) {
                diagnostic_label(parse->diagnostics, diagnose(parse->diagnostics, SBX0108, span, (int)length, text),
                                 span, "a size or a time is a whole number of units; a smaller unit says the same");
                expr->kind = unit->kind;
                return expr;
            }
            expr->kind = unit->kind;
            fits = fits && !__builtin_mul_overflow(expr->number, unit->factor, &expr->number);
        }
    }
    if (!fits)
        diagnostic_label(parse->diagnostics, diagnose(parse->diagnostics, SBX0110, span, (int)length, text), span,
                         "the largest is 2^64 - 1");
    return expr;
}

struct expr *literal_address(struct parse *parse, struct span span, const char *text, size_t length)
{
    struct expr *expr = NEW(parse->arena, struct expr);
    *expr = (struct expr){.kind = EXPR_PREFIX, .span = span};
    bool v6 = text[0] == '[';
    char address[64] = "";
    const char *slash = memchr(text, '/', length);
    size_t address_length = slash ? (size_t)(slash - text) : length;
    unsigned most = v6 ? 128 : 32, bits = most;
    bool ok = true;
    if (slash) {
        uint64_t n;
        ok = read_digits(slash + 1, (size_t)(text + length - slash - 1), 10, &n) && n <= most;
        bits = ok ? (unsigned)n : 0;
    }
    if (v6)
        text++, address_length -= 2;
    ok = ok && address_length < sizeof address;
    if (ok) {
        memcpy(address, text, address_length);
        ok = inet_pton(v6 ? AF_INET6 : AF_INET, address, v6 ? expr->prefix.bytes : expr->prefix.bytes + 12) == 1;
    }
    if (!ok) {
        diagnostic_label(parse->diagnostics, diagnose(parse->diagnostics, SBX0111, span), span,
                         v6 ? "IPv6 is written `[2001:db8::1]`, a range of it `[2001:db8::]/32`"
                            : "IPv4 is written `10.0.0.1`, a range of it `10.0.0.0/8`");
        return expr;
    }
    if (!v6) {
        expr->prefix.bytes[10] = expr->prefix.bytes[11] = 0xFF;
        bits += 96;
    }
    expr->prefix.length = bits;
    for (unsigned bit = bits; bit < 128; bit++)
        if (expr->prefix.bytes[bit / 8] & (0x80u >> bit % 8)) {
            diagnostic_label(parse->diagnostics, diagnose(parse->diagnostics, SBX0112, span), span,
                             "the last %u bits must be zero; for one address leave the `/%u` away", 128 - bits,
                             v6 ? bits : bits - 96);
            break;
        }
    return expr;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

struct str literal_string(struct parse *parse, struct span span, const char *text, size_t length)
{
    char *value = arena_alloc(parse->arena, length);
    size_t used = 0;
    for (size_t i = 1; i + 1 < length; i++) {
        if (text[i] != '\\') {
            value[used++] = text[i];
            continue;
        }
        struct span escape = {span.source, span.start + (uint32_t)i, span.start + (uint32_t)i + 2};
        char c = text[++i];
        if (c == '\\' || c == '"') {
            value[used++] = c;
        } else if (c == 'n' || c == 't') {
            value[used++] = c == 'n' ? '\n' : '\t';
        } else if (c == 'x' && i + 3 < length && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0) {
            char byte = (char)(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
            if (byte == 0)
                diagnostic_label(parse->diagnostics, diagnose(parse->diagnostics, SBX0114, escape), escape,
                                 "no path, name or value can hold it");
            value[used++] = byte;
            i += 2;
        } else {
            diagnostic_label(parse->diagnostics, diagnose(parse->diagnostics, SBX0113, escape, c), escape,
                             "the escapes are \\\\, \\\", \\n, \\t and \\xNN");
        }
    }
    return (struct str){value, used};
}

// In valid text a word never stands right behind a string.
bool literal_is_torn(const struct source *source, uint32_t end)
{
    enum { LOOKED_AT_MOST = 512 };
    const char *text = source->text.text;
    if (end >= source->text.length || !(hex_digit(text[end]) >= 0 || strchr("/.~$*_-", text[end]) ||
                                        ((text[end] | 32) >= 'a' && (text[end] | 32) <= 'z')))
        return false;
    bool open = false;
    for (uint32_t i = end; i < source->text.length && i < end + LOOKED_AT_MOST && text[i] != '\n'; i++) {
        if (text[i] == '\\')
            i++;
        else if (text[i] == '"')
            open = !open;
        else if (text[i] == '#' && !open)
            break;
    }
    return open;
}

uint32_t literal_unclosed(const struct source *source, uint32_t start)
{
    const char *text = source->text.text;
    uint32_t end = start + 1;
    while (end < source->text.length && text[end] != '\n' && !(text[end] == '#' && text[end - 1] == ' '))
        end++;
    while (end > start + 1 && strchr(" \t\r;,(){}", text[end - 1]))
        end--;
    return end;
}
