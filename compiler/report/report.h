// Printing diagnostics: text with carets, JSON, or SARIF. One record, several forms. And the answer of `--why` as JSON.
#pragma once

#include <stdio.h>

#include "compiler/meaning/why.h"
#include "lang/module.h"

void report_text(FILE *, const struct compilation *, bool color);
void report_json(FILE *, struct arena *, const struct compilation *);
void report_sarif(FILE *, struct arena *, struct compilation *const *, size_t count); // one run for all of them

// What why_points found, and what enforces each part on this host, or empty.
void report_why(FILE *, struct policy *, struct str question, const struct operation_point points[WHY_PARTS],
                const int found[WHY_PARTS], const struct str layers[WHY_PARTS]);
