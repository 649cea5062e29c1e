// What a run was refused, and where it went: each target once, with a count; as lines of JSON while it happens
// (`--events FILE`), in the report, and at the end for a person.
#pragma once

#include <stdio.h>

#include "compiler/plan/json.h"
#include "compiler/plan/plan.h"

struct events;

enum event_kind { EVENT_DESTINATION, EVENT_CALL, EVENT_FILE };

// `stream`: where lines are written as things happen; NULL: nowhere. It outlives the events.
struct events *events_new(const struct plan *, FILE *stream);
void events_free(struct events *);

#define RULE_NOT_KNOWN (NO_RULE - 1) // of calls and files a plan does not say it

// `operation` as a rule would say it ("connect tcp 192.0.2.1:443", "syscall ptrace"), `rule` that decided; NO_RULE:
// none allows it.
void event_denied(struct events *, enum event_kind, struct str operation, uint32_t rule);
bool event_again(struct events *, struct str operation, bool denied);     // counts it, if it was met before
void event_allowed(struct events *, struct str operation, uint32_t rule); // a destination

void event_traffic(struct events *, struct str operation, uint64_t sent,
                   uint64_t received); // bytes of an allowed one, added to what it has

void events_end(struct events *); // tells the stream how often each target was met

// The lines at the end: what was denied, why, and the rule that would allow it; with or without system calls. Nothing
// when nothing was.
void events_print(FILE *, const struct events *, bool calls);
void events_write(struct json_writer *, const struct events *, enum event_kind); // an array for the report
void events_write_others(struct json_writer *,
                         const struct events *); // how often those were met that are too many to be told apart
