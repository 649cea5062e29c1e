// `sbxc --why`: what a policy says about one operation or a set of them, and which rules say it.
#pragma once

#include "compiler/meaning/policy.h"

enum why_part { WHY_ALLOWED, WHY_DENIED, WHY_PARTS };

// An operation of the question that is allowed and one that is denied, as far as there are such: *found per part as
// graph_find has it. False when the question could not be understood; diagnostics say why.
bool why_points(struct policy *, const char *question, struct operation_point points[WHY_PARTS], int found[WHY_PARTS]);

// What that says of the question as a whole. NOTHING: there is no such operation on the architectures of this edition.
enum why_answer { WHY_IS_ALLOWED, WHY_IS_DENIED, WHY_IS_PARTLY, WHY_IS_UNDECIDED, WHY_IS_NOTHING };
enum why_answer why_answer(const int found[WHY_PARTS]);

// Writes the answer to `out`; `layers`: what enforces each part on this host, or empty. As above.
bool policy_why(struct policy *, const char *question, const struct str layers[WHY_PARTS], struct text *out);

// The same of the operations that a rule of the policy is about. Of a `never` and of an expectation: whether it holds,
// or what speaks against it.
void policy_why_rule(struct policy *, const struct rule *, struct text *out);
