// Findings as SARIF 2.1.0 (OASIS, docs.oasis-open.org/sarif/sarif/v2.1.0), for code scanning in CI.
//
// A result's fingerprint hangs on its code, its file and the text it points at, not on the line: a finding that only
// moved is the same one.
#include <string.h>

#include "compiler/plan/json.h"
#include "compiler/report/report.h"

static const char *level_of(enum severity severity)
{
    return severity == SEVERITY_ERROR ? "error" : "warning";
}

// A path as a URI reference (RFC 3986): what is not plain is percent-encoded. Of the standard library it is beneath
// `std/`.
static struct str uri_of(struct arena *arena, struct str name)
{
    struct text text = {.arena = arena};
    if (name.length && name.text[0] == '/')
        text_addf(&text, "file://");
    for (size_t i = 0; i < name.length; i++) {
        unsigned char c = (unsigned char)name.text[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("/-._~", c);
        text_addf(&text, plain && c ? "%c" : "%%%02X", c);
    }
    return text.length ? text_str(&text) : STR("unknown");
}

static void write_message(struct json_writer *w, struct str text)
{
    json_key(w, "message");
    json_open(w, '{');
    json_member(w, "text", text);
    json_close(w, '}');
}

static void write_region(struct json_writer *w, const struct source *source, struct span span)
{
    struct position from = source_position(source, span.start), to = source_position(source, span.end);
    json_open(w, '{');
    json_member_number(w, "startLine", from.line);
    json_member_number(w, "startColumn", from.column);
    json_member_number(w, "endLine", to.line);
    json_member_number(w, "endColumn", to.column);
    json_close(w, '}');
}

static void write_artifact(struct json_writer *w, const struct compilation *compilation, const struct source *source)
{
    json_key(w, "artifactLocation");
    json_open(w, '{');
    json_member(w, "uri", uri_of(compilation->arena, source->name));
    json_close(w, '}');
}

static void write_location(struct json_writer *w, const struct compilation *compilation, struct span span,
                           struct str label)
{
    const struct source *source = source_of(&compilation->sources, span);
    json_open(w, '{');
    if (source) {
        json_key(w, "physicalLocation");
        json_open(w, '{');
        write_artifact(w, compilation, source);
        json_key(w, "region");
        write_region(w, source, span);
        json_close(w, '}');
    }
    if (label.length)
        write_message(w, label);
    json_close(w, '}');
}

static uint64_t hash_str(uint64_t hash, struct str text)
{
    for (size_t i = 0; i < text.length; i++)
        hash = (hash ^ (unsigned char)text.text[i]) * 0x100000001B3u; // FNV-1a
    return (hash ^ 0xFF) * 0x100000001B3u;
}

// The same finding at the same text has the same fingerprint, and a second one there another.
static struct str fingerprint_of(const struct compilation *compilation, const struct diagnostic *d)
{
    uint64_t hashes[2] = {0, 0};
    const struct source *source = source_of(&compilation->sources, d->span);
    uint64_t hash = hash_str(0xCBF29CE484222325u, str_from(diagnostic_code(d->code)));
    hash = hash_str(hash, d->message);
    if (source) {
        uint32_t length = d->span.end - d->span.start;
        hash = hash_str(hash, source->name);
        hash = hash_str(hash, (struct str){source->text.text + d->span.start, length < 200 ? length : 200});
    }
    hashes[0] = hash;
    for (const struct diagnostic *other = compilation->diagnostics.first; other != d; other = other->next)
        hashes[1] += other->code == d->code && str_equal(other->message, d->message);
    return str_format(compilation->arena, "%016llx:%llu", (unsigned long long)hashes[0],
                      (unsigned long long)hashes[1] + 1);
}

// A fix is in one file.
static void write_fix(struct json_writer *w, const struct compilation *compilation, const struct diagnostic *d)
{
    const struct source *source = source_of(&compilation->sources, d->fixes->span);
    json_key(w, "fixes");
    json_open(w, '[');
    json_open(w, '{');
    json_key(w, "description");
    json_open(w, '{');
    json_member(w, "text",
                d->fixes->text.length ? str_format(compilation->arena, "write `%.*s`", STR_ARGS(d->fixes->text))
                                      : STR("remove it"));
    json_close(w, '}');
    json_key(w, "artifactChanges");
    json_open(w, '[');
    json_open(w, '{');
    write_artifact(w, compilation, source);
    json_key(w, "replacements");
    json_open(w, '[');
    for (const struct fix *fix = d->fixes; fix; fix = fix->next) {
        json_open(w, '{');
        json_key(w, "deletedRegion");
        write_region(w, source, fix->span);
        json_key(w, "insertedContent");
        json_open(w, '{');
        json_member(w, "text", fix->text);
        json_close(w, '}');
        json_close(w, '}');
    }
    json_close(w, ']');
    json_close(w, '}');
    json_close(w, ']');
    json_close(w, '}');
    json_close(w, ']');
}

static void write_result(struct json_writer *w, const struct compilation *compilation, const struct diagnostic *d,
                         const size_t *rule_index)
{
    struct text text = {.arena = compilation->arena};
    text_addf(&text, "%.*s", STR_ARGS(d->message));
    if (d->label.length)
        text_addf(&text, ": %.*s", STR_ARGS(d->label));
    if (d->help.length)
        text_addf(&text, " (%.*s)", STR_ARGS(d->help));
    json_open(w, '{');
    json_member(w, "ruleId", str_from(diagnostic_code(d->code)));
    json_member_number(w, "ruleIndex", rule_index[d->code]);
    json_member(w, "level", str_from(level_of(d->severity)));
    write_message(w, text_str(&text));
    json_key(w, "locations");
    json_open(w, '[');
    if (source_of(&compilation->sources, d->span))
        write_location(w, compilation, d->span, (struct str){0});
    json_close(w, ']');
    if (d->others) {
        json_key(w, "relatedLocations");
        json_open(w, '[');
        for (const struct label *label = d->others; label; label = label->next)
            if (source_of(&compilation->sources, label->span))
                write_location(w, compilation, label->span, label->text);
        json_close(w, ']');
    }
    if (d->fixes && source_of(&compilation->sources, d->fixes->span))
        write_fix(w, compilation, d);
    json_key(w, "partialFingerprints");
    json_open(w, '{');
    json_member(w, "sbxFinding/v1", fingerprint_of(compilation, d));
    json_close(w, '}');
    json_close(w, '}');
}

static void write_rule(struct json_writer *w, struct arena *arena, enum code code)
{
    static const char *const titles[] = {
#define DIAGNOSTIC(number, severity, title) title,
#include "lang/diagnostics.def"
#undef DIAGNOSTIC
    };
    static const enum severity severities[] = {
#define DIAGNOSTIC(number, severity, title) SEVERITY_##severity,
#include "lang/diagnostics.def"
#undef DIAGNOSTIC
    };
    struct text title = {.arena = arena}; // with its blanks named
    for (const char *at = titles[code]; *at; at++)
        if (*at == '%') {
            at += strcspn(at, "csuzd%");
            at += *at == 'z';
            text_addf(&title, "…");
        } else {
            text_add(&title, at, 1);
        }
    json_open(w, '{');
    json_member(w, "id", str_from(diagnostic_code(code)));
    json_key(w, "shortDescription");
    json_open(w, '{');
    json_member(w, "text", text_str(&title));
    json_close(w, '}');
    json_key(w, "help");
    json_open(w, '{');
    json_member(w, "text", str_format(arena, "sbxc --explain %s", diagnostic_code(code)));
    json_close(w, '}');
    json_key(w, "defaultConfiguration");
    json_open(w, '{');
    json_member(w, "level", str_from(level_of(severities[code])));
    json_close(w, '}');
    json_close(w, '}');
}

void report_sarif(FILE *out, struct arena *arena, struct compilation *const *compilations, size_t count)
{
    size_t *rule_index = NEW_ARRAY(arena, size_t, CODE_COUNT), rules = 0;
    bool *used = NEW_ARRAY(arena, bool, CODE_COUNT);
    for (size_t i = 0; i < count; i++)
        for (const struct diagnostic *d = compilations[i]->diagnostics.first; d; d = d->next)
            used[d->code] = true;
    struct text text = {.arena = arena};
    struct json_writer writer = {.text = &text}, *w = &writer;
    json_open(w, '{');
    json_member(w, "$schema",
                STR("https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"));
    json_member(w, "version", STR("2.1.0"));
    json_key(w, "runs");
    json_open(w, '[');
    json_open(w, '{');
    json_key(w, "tool");
    json_open(w, '{');
    json_key(w, "driver");
    json_open(w, '{');
    json_member(w, "name", STR("sbxc"));
    json_member(w, "semanticVersion", STR(SBX_VERSION));
    json_key(w, "rules");
    json_open(w, '[');
    for (int code = 0; code < CODE_COUNT; code++)
        if (used[code]) {
            rule_index[code] = rules++;
            write_rule(w, arena, (enum code)code);
        }
    json_close(w, ']');
    json_close(w, '}');
    json_close(w, '}');
    json_member(w, "columnKind", STR("unicodeCodePoints"));
    json_key(w, "results");
    json_open(w, '[');
    for (size_t i = 0; i < count; i++)
        for (const struct diagnostic *d = compilations[i]->diagnostics.first; d; d = d->next)
            write_result(w, compilations[i], d, rule_index);
    json_close(w, ']');
    json_close(w, '}');
    json_close(w, ']');
    json_close(w, '}');
    fwrite(text.data, 1, text.length, out);
}
