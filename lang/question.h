// Text that is not a module: one operation, as `sbxc --why` takes it, and one value, as -D does.
#pragma once

#include "lang/module.h"

// Parses one operation, as `sbxc --why` takes it; names and types are checked in `module`. NULL when it has errors.
struct operation *operation_parse(struct compilation *, struct module *, const char *text);

// Parses `text` as a value for a parameter given on the command line, as the same value in a file is parsed and
// checked. Relative paths in it start at the caller's folder. NULL when it has errors.
struct expr *value_parse(struct compilation *, struct parameter *, const char *text);
