// The page's part on system calls: which are allowed, always or by their arguments, and which rules deny some.
#pragma once

#include "compiler/describe/page_cells.h"

struct str page_calls_summary(struct writer *); // how many are allowed, of how many
void page_calls(struct writer *);
