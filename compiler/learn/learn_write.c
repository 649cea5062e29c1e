// The policy that is being learned, as text.
#include "compiler/learn/learner.h"

#include <string.h>

enum { MEMORY_PLACE = 256 << 20 }; // bytes in a place for temporary files; they count as memory

struct note *learner_note(struct learner *l, struct str operation, const char *why, uint64_t count)
{
    struct note *note = NEW(l->arena, struct note), *known = map_put(&l->noted, str_copy(l->arena, operation), note);
    if (known)
        return known;
    *note = (struct note){.operation = str_copy(l->arena, operation), .why = why, .count = count};
    *l->last_note = note;
    l->last_note = &note->next;
    return note;
}

static void print_quantity(struct text *text, const char *name, uint64_t bytes)
{
    text_addf(text, "%s %llu%s; ", name,
              (unsigned long long)(bytes >> 20 < 1024 || bytes >> 20 & 1023 ? bytes >> 20 : bytes >> 30),
              bytes >> 20 < 1024 || bytes >> 20 & 1023 ? "MiB" : "GiB");
}

static uint64_t power_of_two(uint64_t least, uint64_t wanted)
{
    while (least < wanted && least < UINT64_MAX / 2)
        least *= 2;
    return least;
}

void learner_end_seen(struct text *text, uint64_t count, const char *more)
{
    text_addf(text, " because \"seen %llu time%s%s\";\n", (unsigned long long)count, count == 1 ? "" : "s", more);
}

// True if the view has this folder, or the way to something beneath it. Memory has no folder of the host.
static bool is_shown(const struct learner *l, struct str path)
{
    for (size_t i = 0; i < l->place_count; i++)
        if (!l->places[i].gone && (path_covers(path, l->places[i].path) ||
                                   (path_covers(l->places[i].path, path) && !l->places[i].is_memory)))
            return true;
    return path_covers(STR("/usr"), path) || str_is(path, "/");
}

// The place for temporary files, or another of memory, that a path lies in; NULL: none.
static const struct place *memory_above(const struct learner *l, struct str path)
{
    for (size_t i = 0; i < l->place_count; i++)
        if (l->places[i].is_memory && !l->places[i].gone && path_covers(l->places[i].path, path))
            return &l->places[i];
    return NULL;
}

// What may be written in memory may be so beneath it too, whatever is shown there: a deny keeps what was only read.
// How many rules that takes.
static size_t write_kept(const struct learner *l, struct text *text, const struct place *place)
{
    if (place->gone || place->is_memory || place->verbs & VERB_WRITE || !memory_above(l, place->path))
        return 0;
    text_addf(text, "        deny write ");
    text_quote(text, place->path);
    const char *between = " except ";
    for (size_t i = 0; i < l->place_count; i++)
        if (!l->places[i].gone && l->places[i].verbs & VERB_WRITE && path_covers(place->path, l->places[i].path)) {
            text_addf(text, "%s", between);
            text_quote(text, l->places[i].path);
            between = ", ";
        }
    text_addf(text, " because \"it was only read\";\n");
    return 1;
}

struct str learner_write(struct learner *l, bool whole)
{
    struct text text = {.arena = l->arena};
    const struct seen *seen = l->seen;
    bool any = false, held[LIBRARIES_MOST] = {false};
    for (int again = 0; again < 3; again++) // what one has in it needs no `use`
        for (int i = 0; known_libraries[i].module; i++)
            for (int k = 0; known_libraries[k].module; k++)
                held[k] |=
                    (l->libraries[i] || held[i]) && strcmp(known_libraries[i].holds, known_libraries[k].module) == 0;
    text_addf(&text, "sbx 1;\n\n");
    if (l->given.length)
        text_addf(&text, "import \"./%.*s\" as given;\n", STR_ARGS(l->given));
    for (int i = 0; known_libraries[i].module; i++)
        if (l->libraries[i] && !held[i] && (any = true))
            text_addf(&text, "import std.%s;\n", known_libraries[i].module);
    if (!any && !l->given.length)
        text_addf(&text, "import std.base;\n");
    text_addf(&text, "\n");
    if (whole) {
        text_addf(&text, "# Learned from %llu run%s of:", (unsigned long long)seen->runs, seen->runs == 1 ? "" : "s");
        for (size_t i = 0; i < seen->command_count; i++) {
            struct text word = {.arena = l->arena};
            text_quote(&word, seen->command[i]);
            struct str shown = text_str(&word);
            if (shown.length > 60) // not within a character
                for (shown.length = 60; (shown.text[shown.length] & 0xC0) == 0x80;)
                    shown.length--;
            text_addf(&text, " %.*s", STR_ARGS(shown));
        }
        text_addf(&text, "\n# Read it before you trust it: it allows what was done, whoever did it.\n");
        struct str record = plan_hash(l->arena, seen_write(l->arena, seen));
        text_addf(&text, "%s%.*s\n", LEARN_RECORD, STR_ARGS(record));
        if (l->has_unseen)
            text_addf(&text, "# More lies in the folders that it shows than was looked at for secrets: look there.\n");
    }
    text_addf(&text, "policy %.*s {\n", STR_ARGS(l->name));
    if (l->given.length)
        text_addf(&text, "    use given.%.*s;\n", STR_ARGS(l->given_policy));
    for (int i = 0; known_libraries[i].module; i++)
        if (l->libraries[i] && !held[i])
            text_addf(&text, "    use std.%s;\n", known_libraries[i].module);
    if (!any && !l->given.length)
        text_addf(&text, "    use std.base;\n");
    if (whole && seen->command_count) {
        text_addf(&text, "    command ");
        for (size_t i = 0; i < seen->command_count; i++) {
            text_addf(&text, i ? ", " : "");
            text_quote(&text, seen->command[i]);
        }
        text_addf(&text, ";\n\n");
    }
    l->rules = l->net_rules + l->call_rules;
    bool fs = false, has_memory = false;
    for (size_t i = 0; i < l->place_count; i++) {
        const struct place *place = &l->places[i];
        if (place->gone)
            continue;
        text_addf(&text, fs ? "" : "    fs {\n");
        fs = true;
        l->rules++;
        if (whole && place->verbs & VERB_WRITE && place->verbs & VERB_EXEC)
            text_addf(&text, "        # allow SBX0715: the command runs what it has made there\n");
        text_addf(&text, "        allow read%s%s ", place->verbs & VERB_WRITE ? ", write" : "",
                  place->verbs & VERB_EXEC ? ", exec" : "");
        text_quote(&text, place->path);
        has_memory |= place->is_memory;
        if (place->is_memory)
            text_addf(&text, " from tmpfs size %dMiB", MEMORY_PLACE >> 20);
        if (place->home.length) {
            text_addf(&text, " from home ");
            text_quote(&text, place->home);
        } else if (!place->is_memory && memory_above(l, place->path)) { // or it would be memory, too
            text_addf(&text, " from ");
            text_quote(&text, place->path);
        }
        if (place->entries > 1)
            learner_end_seen(&text, place->count, str_format(l->arena, ", in %zu places", place->entries).text);
        else
            learner_end_seen(&text, place->count, "");
    }
    for (size_t i = 0; i < l->place_count; i++)
        l->rules += write_kept(l, &text, &l->places[i]);
    for (const struct note *n = l->notes; n; n = n->next) // a secret beneath a folder that is shown
        if (n->path.length) {
            bool shown = false;
            for (size_t i = 0; i < l->place_count; i++)
                shown |= !l->places[i].gone && !l->places[i].is_memory && path_covers(l->places[i].path, n->path);
            if (!shown)
                continue;
            text_addf(&text, "        deny read ");
            text_quote(&text, n->path);
            text_addf(&text, " because \"it looks like a secret\";\n");
            l->rules++;
        }
    if (fs)
        text_addf(&text, "    }\n");
    if (l->net.length)
        text_addf(&text, "    net {\n%.*s    }\n", STR_ARGS(l->net));
    if (l->calls.length)
        text_addf(&text, "    syscalls {\n%.*s    }\n", STR_ARGS(l->calls));
    if (whole) {
        uint64_t minutes = seen->wall / 6000 + 1; // ten times as long
        text_addf(&text, "    limits { ");
        print_quantity(&text, "memory", power_of_two(64ull << 20, 2 * seen->memory + (seen->processes << 22) +
                                                               (has_memory ? MEMORY_PLACE : 0)));
        text_addf(&text, "pids %llu; lifetime %llumin; }\n", (unsigned long long)power_of_two(16, 2 * seen->processes),
                  (unsigned long long)minutes);
        text_addf(&text,
                  "    require cgroup else degrade because \"an ordinary user may often not limit memory; pids and "
                  "time are kept all the same\";\n");
    }
    bool has_cwd = is_shown(l, seen->cwd) && !str_is(seen->cwd, "/");
    if (has_cwd || l->sets_home) {
        text_addf(&text, "    process { ");
        if (l->sets_home) {
            text_addf(&text, "env HOME = ");
            text_quote(&text, l->home);
            text_addf(&text, "; ");
        }
        if (has_cwd) {
            text_addf(&text, "cwd ");
            text_quote(&text, seen->cwd);
            text_addf(&text, "; ");
        }
        text_addf(&text, "}\n");
    }
    bool told = false;
    for (const struct note *n = l->notes; n && whole; n = n->next) {
        if (!n->things)
            continue;
        text_addf(&text, told ? "" : "\n    # Seen, and not allowed:\n");
        told = true;
        text_addf(&text, "    #   %.*s, %llu time%s: %s\n", STR_ARGS(n->operation), (unsigned long long)n->count,
                  n->count == 1 ? "" : "s", n->why);
    }
    text_addf(&text, "}\n");
    return text_str(&text);
}
