// A fuzz target: one function, as libFuzzer has it. tests/fuzz/fuzz.c drives it where there is no libFuzzer.
#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
