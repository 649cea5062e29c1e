// Lints: rules that can't mean what they say.
#pragma once

#include "compiler/policy.h"

bool lint_effects(struct policy *); // allows that change nothing; false when there is one
void lint_command(struct policy *); // a policy that can't execute its own command
