// What sbxrun inherits from whoever starts it: taken in hand before anything else, and given to the command as it was.
//
// A caller may ignore the end of its children, have a umask under which nobody can enter what he has made, limit the
// size of files to nothing, or close the standard descriptors. None of that may change what sbxrun itself does.
#pragma once

#include <stdbool.h>

// Once, first of all. Standard descriptors that are closed lead nowhere from here on. The environment moves to memory
// that processes started from here on do not get, and is cleared where it was: /proc/PID/environ shows nothing of it.
// False where something of that can't be had; *problem says what.
bool caller_take(const char **problem);

// Puts umask and signals of this process back to what the caller had: for the command, between clone and exec.
void caller_give(void);

// Processes started from here on get the environment after all (`lend`), or no longer do.
void caller_lend_environment(bool lend);
