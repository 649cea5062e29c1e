// The words of a plan's JSON, for its writer and its reader.
#pragma once

#include "compiler/plan/plan.h"

struct plan_word {
    unsigned bit;
    const char *name;
};

enum { PLAN_VERBS = 8, PLAN_PROTOCOLS = 3, PLAN_PLACES = 6, PLAN_BROKER_PARTS = 2 };

extern const struct plan_word plan_verb_names[PLAN_VERBS], plan_protocol_names[PLAN_PROTOCOLS];
extern const struct plan_word plan_protocol_names[PLAN_PROTOCOLS], plan_broker_names[PLAN_BROKER_PARTS];
extern const char *const plan_place_names[PLAN_PLACES];
