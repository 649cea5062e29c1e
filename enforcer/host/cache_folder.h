// Folders of sbxrun's cache: what took time to make and may be made again.
#pragma once

#include <limits.h>

// Opens the folder `kind` of the cache, making it where it is not there, and writes its path: beneath /var/cache/sbx
// for root, else XDG_CACHE_HOME/sbx or
// ~/.cache/sbx (XDG Base Directory Specification). -1 and what is wrong: with errno, or 0. One that others can write is
// not opened.
int cache_folder_open(const char *kind, char path[PATH_MAX], const char **problem);
