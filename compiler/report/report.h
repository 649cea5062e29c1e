// Printing diagnostics: text with carets, or JSON. One record, several forms.
#pragma once

#include <stdio.h>

#include "lang/module.h"

void report_text(FILE *, const struct compilation *, bool color);
void report_json(FILE *, struct arena *, const struct compilation *);
