// Allows under a condition that changes nothing: an error, as its author believes that it restricts.
#pragma once

#include "compiler/meaning/policy.h"

bool policy_effects(struct policy *); // false when there is one, and a diagnostic for each
