// What a run was refused, and where it went.
#include "enforcer/supervisor/events.h"

#include <stdlib.h>
#include <string.h>

#include "enforcer/host/failure.h"
#include "enforcer/host/say.h"
#include "enforcer/supervisor/remedy.h"

enum {
    TARGETS_MOST = 1000, // the first of what is allowed, and of what is denied: neither takes the other's room
    SHOWN_MOST = 5
};

static const struct probe {
    const char *operation, *who;
} probes[] = {
#define PROBE(operation, who) {operation, who},
#include "enforcer/supervisor/probes.def"
#undef PROBE
};

struct target {
    enum event_kind kind;
    struct str operation; // owned
    uint32_t rule;
    bool denied, is_measured;
    uint64_t count, last;    // last: the how manieth event of all was the last of it
    uint64_t sent, received; // bytes, where they are known
};

struct events {
    const struct plan *plan;
    FILE *stream;
    struct target *targets;
    size_t count, met[2]; // allowed, denied
    uint64_t others[2];   // how often targets past the most that are told apart were met
    uint64_t all;         // how many events there were
};

struct events *events_new(const struct plan *plan, FILE *stream)
{
    struct events *events = calloc(1, sizeof *events);
    if (events)
        *events = (struct events){.plan = plan, .stream = stream};
    return events;
}

void events_free(struct events *events)
{
    for (size_t i = 0; events && i < events->count; i++)
        free((char *)events->targets[i].operation.text);
    if (events)
        free(events->targets);
    free(events);
}

// True if it is udp to where a connection of tcp was made: so the C library finds out which of a name's addresses is
// nearest (RFC 6724 §6), and HTTP asks for QUIC.
static bool is_beside_tcp(const struct events *events, struct str operation)
{
    static const char udp[] = "connect udp ", tcp[] = "connect tcp ";
    size_t length = sizeof udp - 1;
    if (operation.length < length || memcmp(operation.text, udp, length) != 0)
        return false;
    for (size_t i = 0; i < events->count; i++) {
        struct str other = events->targets[i].operation;
        if (!events->targets[i].denied && other.length == operation.length && memcmp(other.text, tcp, length) == 0 &&
            memcmp(other.text + length, operation.text + length, other.length - length) == 0)
            return true;
    }
    return false;
}

// Who tries that without a need; NULL: it is no such thing.
static const char *probed_by(const struct events *events, const struct target *target)
{
    for (size_t i = 0; target->denied && i < sizeof probes / sizeof *probes; i++)
        if (str_is(target->operation, probes[i].operation))
            return probes[i].who;
    return target->denied && is_beside_tcp(events, target->operation) ? "the C library and HTTP: udp beside tcp" : NULL;
}

static void write_target(struct json_writer *w, const struct events *events, const struct target *target,
                         const char *event)
{
    json_open(w, '{');
    json_member(w, "event", str_from(event));
    json_member(w, "operation", target->operation);
    if (target->rule < events->plan->rule_count)
        json_member(w, "rule", rule_named(events->plan, target->rule));
    if (target->denied && target->rule == NO_RULE) {
        struct remedy remedy = remedy_of(w->text->arena, events->plan, target->operation);
        if (remedy.rule.length)
            json_member(w, "would_allow", remedy.rule);
        if (remedy.host.length)
            json_member(w, "would_allow_hosts", remedy.host);
        if (remedy.needs.length)
            json_member(w, "needs", remedy.needs);
    }
    if (probed_by(events, target))
        json_member(w, "probe", str_from(probed_by(events, target)));
    json_member_number(w, "count", target->count);
    if (target->is_measured) {
        json_member_number(w, "sent_bytes", target->sent);
        json_member_number(w, "received_bytes", target->received);
    }
    json_close(w, '}');
}

static const char *event_name(const struct target *target)
{
    return target->denied ? "denied" : "allowed";
}

static void stream_line(const struct events *events, const struct target *target, const char *event)
{
    if (!events->stream)
        return;
    struct arena *arena = arena_new();
    struct text text = {.arena = arena};
    struct json_writer writer = {.text = &text, .depth = 1}; // all of it on one line
    write_target(&writer, events, target, event);
    fprintf(events->stream, "%.*s\n", (int)text.length, text.data);
    fflush(events->stream);
    arena_free(arena);
}

bool event_again(struct events *events, struct str operation, bool denied)
{
    for (size_t i = 0; events && i < events->count; i++)
        if (events->targets[i].denied == denied && str_equal(events->targets[i].operation, operation)) {
            events->targets[i].count++;
            events->targets[i].last = ++events->all;
            return true;
        }
    return false;
}

// A target is told when it is met first; how often, when all is over.
static void note(struct events *events, enum event_kind kind, struct str operation, uint32_t rule, bool denied)
{
    if (!events || event_again(events, operation, denied))
        return;
    struct target *larger =
        events->met[denied] < TARGETS_MOST ? realloc(events->targets, (events->count + 1) * sizeof *larger) : NULL;
    char *copy = larger ? strndup(operation.text, operation.length) : NULL;
    if (larger)
        events->targets = larger;
    if (!copy) {
        events->others[denied]++;
        return;
    }
    events->met[denied]++;
    struct target *target = &events->targets[events->count++];
    *target = (struct target){
        .kind = kind, .operation = {copy, operation.length}, .rule = rule, .denied = denied, .count = 1};
    target->last = ++events->all;
    stream_line(events, target, event_name(target));
}

void events_end(struct events *events)
{
    for (size_t i = 0; events && i < events->count; i++)
        stream_line(events, &events->targets[i], events->targets[i].denied ? "denied in all" : "allowed in all");
}

void event_denied(struct events *events, enum event_kind kind, struct str operation, uint32_t rule)
{
    note(events, kind, operation, rule, true);
}

void event_allowed(struct events *events, struct str operation, uint32_t rule)
{
    note(events, EVENT_DESTINATION, operation, rule, false);
}

void event_traffic(struct events *events, struct str operation, uint64_t sent, uint64_t received)
{
    for (size_t i = 0; events && i < events->count; i++) {
        struct target *target = &events->targets[i];
        if (target->denied || !str_equal(target->operation, operation))
            continue;
        target->is_measured = true;
        target->sent += sent;
        target->received += received;
    }
}

// Likely causes first: files and destinations, which a program was told by name, before calls, of which it tries many;
// then what was denied last, as who fails for it goes no further.
static int by_likelihood(const void *left, const void *right)
{
    const struct target *a = *(const struct target *const *)left, *b = *(const struct target *const *)right;
    if ((a->kind == EVENT_CALL) != (b->kind == EVENT_CALL))
        return a->kind == EVENT_CALL ? 1 : -1;
    return (a->last < b->last) - (a->last > b->last);
}

// False: what would allow it stands there already, for another target.
static bool print_target(FILE *out, const struct events *events, const struct target *target, struct map *remedies)
{
    struct arena *arena = remedies->arena;
    struct str what = target->operation;
    if (target->count > 1)
        what = str_format(arena, "%.*s, %llu times", STR_ARGS(what), (unsigned long long)target->count);
    if (target->rule < events->plan->rule_count) {
        const char *example = remedy_example(events->plan->rules[target->rule].text);
        say(out, "sbxrun: denied %.*s (%.*s)", STR_ARGS(what), STR_ARGS(rule_named(events->plan, target->rule)));
        if (example)
            say(out, "        a rule as `%s` would change it", example);
        return true;
    }
    if (target->rule == RULE_NOT_KNOWN) {
        say(out, "sbxrun: denied %.*s: the plan does not say by which rule", STR_ARGS(what));
        return true;
    }
    struct remedy remedy = remedy_of(arena, events->plan, target->operation);
    struct str lines = str_format(arena, "%.*s\n%.*s", STR_ARGS(remedy.rule), STR_ARGS(remedy.host));
    if (remedy.rule.length && map_put(remedies, lines, remedies))
        return false;
    say(out, "sbxrun: denied %.*s: no rule allows it", STR_ARGS(what));
    if (remedy.host.length)
        say(out, "        `%.*s` would, on the sandbox's own loopback; `%.*s` on the host's", STR_ARGS(remedy.rule),
            STR_ARGS(remedy.host));
    else if (remedy.rule.length)
        say(out, "        `%.*s` would%s%.*s", STR_ARGS(remedy.rule), remedy.needs.length ? ", but it takes " : "",
            STR_ARGS(remedy.needs));
    else if (remedy.needs.length)
        say(out, "        none would: it takes %.*s", STR_ARGS(remedy.needs));
    return true;
}

void events_print(FILE *out, const struct events *events, bool calls)
{
    const struct target *told[TARGETS_MOST];
    size_t count = 0, shown = 0, left = 0;
    for (size_t i = 0; events && i < events->count; i++) {
        const struct target *target = &events->targets[i];
        if (target->denied && (calls || target->kind != EVENT_CALL) && !probed_by(events, target))
            told[count++] = target;
    }
    qsort(told, count, sizeof *told, by_likelihood);
    struct arena *arena = arena_new();
    struct map remedies = {.arena = arena};
    for (size_t i = 0; i < count; i++)
        if (shown < SHOWN_MOST && print_target(out, events, told[i], &remedies))
            shown++;
        else
            left++;
    if (left)
        say(out, "sbxrun: and denied %zu other things (--report lists them)", left);
    arena_free(arena);
    if (events && events->others[true])
        say(out, "sbxrun: and denied more than could be told apart, %llu times",
            (unsigned long long)events->others[true]);
}

void events_write(struct json_writer *w, const struct events *events, enum event_kind kind)
{
    json_open(w, '[');
    for (size_t i = 0; events && i < events->count; i++)
        if (events->targets[i].kind == kind)
            write_target(w, events, &events->targets[i], event_name(&events->targets[i]));
    json_close(w, ']');
}

void events_write_others(struct json_writer *w, const struct events *events)
{
    json_open(w, '{');
    json_member_number(w, "allowed", events ? events->others[false] : 0);
    json_member_number(w, "denied", events ? events->others[true] : 0);
    json_close(w, '}');
}
