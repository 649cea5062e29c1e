// What people write who know other tools, and what it is here (habits.def).
#pragma once

#include "lang/arena.h"

enum habit_place { HABIT_ANYWHERE, HABIT_TOP, HABIT_POLICY };

// What to say about a word that can't stand where it stands: `before` is the word before it, or empty; `place` where in
// the file it is. A sentence that lives for ever, or NULL when nothing is known.
const char *habit_help(struct str word, struct str before, enum habit_place);
