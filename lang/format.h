// The canonical layout of a policy file (`sbxc --fmt`): the same words and comments, in other white space.
//
// Four spaces a level, at most 120 columns where words allow it, one statement a line or several where their author put
// them on one, blocks on one line where their author wrote them so and they fit, at most one empty line between two
// things, comments where they were.
#pragma once

#include "lang/source.h"

// The layout of a source without syntax errors. NULL when it has some: errors are for whoever checks it. The result's
// words and comments are those of the source; this is verified, and a difference ends the program (a fault of ours).
const struct str *format_source(struct arena *, const struct source *);
