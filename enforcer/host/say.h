// What sbxrun says: lines.
#pragma once

#include <stdio.h>

// Prints one line; its end is added. Names in it may be a stranger's, from an archive, a plan or a proxy: what a
// terminal would obey, or would show as a line of its own, is written as \xNN.
void say(FILE *, const char *format, ...) __attribute__((format(printf, 2, 3)));
