// Folders of sbxrun's cache: what took time to make and may be made again.
//
// No sandbox can reach it: it is hidden in every view that would show it (enforcer/view/hidden.h), from before it is
// there. What lies there is believed by its seal besides (seal.h).
//
// It lies beneath /var/cache/sbx for root, else XDG_CACHE_HOME/sbx or ~/.cache/sbx (XDG Base Directory Specification),
// and is not used where it could have been put there by a sandbox nevertheless: where others can write, or the way to
// it passes a link that is not root's.
#pragma once

#include <limits.h>
#include <stdbool.h>

// Opens the folder `kind` of the cache, making it where it is not there, and writes its path. -1 and what is wrong:
// with errno, or 0.
int cache_folder_open(const char *kind, char path[PATH_MAX], const char **problem);

// Opens the place where this user's cache is, or would be in another environment (`which` from 0), made where it can
// be; where it can't, the closest place above that there is, and *there is false. O_PATH; -1: there is no such one.
enum { CACHE_PLACES = 2 };
int cache_place_open(int which, bool *there);
