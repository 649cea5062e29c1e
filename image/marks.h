// What a folder says to an overlay that stands on it (Documentation/filesystems/overlayfs.rst, with `userxattr`), of
// what a layer of OCI's image specification says by names (image-spec, layer.md).
#pragma once

#include <stdbool.h>

// True if the name stands for something: it begins with ".wh.".
bool mark_is(const char *name);

// Makes what such a name stands for in the open folder, which may be O_PATH: `.wh.NAME` becomes a character device 0:0
// at NAME, `.wh..wh..opq` an attribute of the folder. NULL, or what is wrong, with errno or 0.
const char *mark_make(int folder, const char *name, bool is_top);

// Makes a folder that a layer says nothing of, and says so of it (LAYER_IMPLIED): in the top one, or in one of which
// nothing is said either. 0, or -1 and errno; ENOKEY: in another one.
int mark_implied(int folder, const char *name, bool in_top);
