// The policy function of the network, on a plan: what the compiler decided on rules, asked again at run time.
#pragma once

#include "compiler/plan/plan.h"

// May one operation be done? The rule that decided, or NO_RULE: none allows it.
bool network_allows(const struct plan *, const struct net_point *, uint32_t *rule);
