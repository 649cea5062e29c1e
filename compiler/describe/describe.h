// What Linux's names mean, in a line each: for people who read policies.
#pragma once

#include "lang/tables.h"

const char *describe_call(size_t call); // "opens a file relative to a directory; its flags say how"
const char *describe_limit(enum limit);
const char *describe_argument_type(enum argument_type); // "32 bits, signed"
