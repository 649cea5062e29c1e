// Quantities as the language writes them: "256MiB", "1500ms", "0.5".
#pragma once

#include "lang/tables.h"

struct str size_text(struct arena *, uint64_t bytes);
struct str quantity_text(struct arena *, enum type, uint64_t value);
struct str limit_text(struct arena *, enum limit,
                      uint64_t value); // the value as plans hold it: bytes, milliseconds, thousandths of a core
