// Loading modules with all that they import, each checked (check.h).
#pragma once

#include "lang/module.h"

// Reads any text file as a source of the compilation, which diagnostics can point into. NULL, and a diagnostic, when it
// can't be read; compilation->unreadable is set then.
struct source *source_load(struct compilation *, const char *path);

// A module from text that lies in an arena, as if it came from a file of that name; in a folder (absolute), where its
// imports and relative paths start, or in the caller's. Its errors are among the diagnostics.
struct module *module_parse_in(struct compilation *, struct str name, struct str folder, struct str text);
struct module *module_parse(struct compilation *, struct str name, struct str text);

void compilation_prelude(struct compilation *); // loads it, where no module was loaded yet

// Loads and checks a file with its imports. Returns NULL when it could not be read (a diagnostic says why, and
// compilation->unreadable is set); else a module, whose errors are among the diagnostics.
struct module *module_load(struct compilation *, const char *path);
