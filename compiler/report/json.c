// Diagnostics as JSON (docs/report.md has the form).
#include "compiler/plan/json.h"
#include "compiler/report/report.h"

static void write_place(struct json_writer *w, const struct compilation *compilation, struct span span,
                        struct str label)
{
    const struct source *source = source_of(&compilation->sources, span);
    if (source) {
        struct position from = source_position(source, span.start), to = source_position(source, span.end);
        json_member(w, "file", source->name);
        json_member_number(w, "line", from.line);
        json_member_number(w, "column", from.column);
        json_member_number(w, "end_line", to.line);
        json_member_number(w, "end_column", to.column);
    }
    json_member(w, "label", label.text ? label : STR(""));
}

void report_json(FILE *out, struct arena *arena, const struct compilation *compilation)
{
    const struct diagnostics *diagnostics = &compilation->diagnostics;
    struct text text = {.arena = arena};
    struct json_writer writer = {.text = &text}, *w = &writer;
    json_open(w, '{');
    json_member_number(w, "sbx_diagnostics", 1);
    json_member_number(w, "errors", diagnostics->errors);
    json_member_number(w, "warnings", diagnostics->warnings);
    json_key(w, "diagnostics");
    json_open(w, '[');
    for (const struct diagnostic *d = diagnostics->first; d; d = d->next) {
        json_open(w, '{');
        json_member(w, "code", str_from(diagnostic_code(d->code)));
        json_member(w, "severity", d->severity == SEVERITY_ERROR ? STR("error") : STR("warning"));
        json_member(w, "message", d->message);
        write_place(w, compilation, d->span, d->label);
        json_key(w, "related");
        json_open(w, '[');
        for (const struct label *label = d->others; label; label = label->next) {
            json_open(w, '{');
            write_place(w, compilation, label->span, label->text);
            json_close(w, '}');
        }
        json_close(w, ']');
        if (d->help.length)
            json_member(w, "help", d->help);
        if (d->fixes) {
            json_key(w, "fix_is_certain");
            json_bool(w, d->fix_is_certain);
            json_key(w, "fixes");
            json_open(w, '[');
            for (const struct fix *fix = d->fixes; fix; fix = fix->next) {
                json_open(w, '{');
                write_place(w, compilation, fix->span, fix->text);
                json_close(w, '}');
            }
            json_close(w, ']');
        }
        json_close(w, '}');
    }
    json_close(w, ']');
    json_close(w, '}');
    fwrite(text.data, 1, text.length, out);
}
