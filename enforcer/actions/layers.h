// `sbxrun --layers QUESTION`.
#pragma once

#include "enforcer/actions/actions.h"

// What enforces the operations of a question here, a line each: "allowed" or "denied", a tab, the layers. Or "refused"
// and why.
int print_layers(struct compilation *, const struct options *);
