// What sbxrun says: lines.
#pragma once

#include <stdbool.h>
#include <stdio.h>

// Prints one line; its end is added. Names in it may be a stranger's, from an archive, a plan or a proxy: what a
// terminal would obey, or would show as a line of its own, is written as \xNN.
// It waits for a terminal that takes nothing, as after ^S, but not when it is told to end meanwhile.
void say(FILE *, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Waits until a descriptor takes something, where it is a terminal. False if a signal that ends (blocked, as while
// things are cleared away) came first, or is there already.
bool waits_for_terminal(int fd);
