// Printing diagnostics: text with carets, JSON, or SARIF. One record, several forms.
#pragma once

#include <stdio.h>

#include "lang/module.h"

void report_text(FILE *, const struct compilation *, bool color);
void report_json(FILE *, struct arena *, const struct compilation *);
void report_sarif(FILE *, struct arena *, struct compilation *const *, size_t count); // one run for all of them
