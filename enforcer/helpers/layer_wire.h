// What sbxrun and sbximage tell one another of layers. Of one that is written: packets over a socket, one for each
// file, in the order of the layer.
#pragma once

#include <stdint.h>

// The attribute of a folder that sbximage made in unpacking a layer which says nothing of it.
#define LAYER_IMPLIED "user.sbx.implied"

enum { LAYER_GONE = 1, LAYER_OPAQUE = 2, LAYER_END = 4 };

enum { LAYER_TEXT_MOST = 64 * 1024 };

// Then its path and what a link leads to: bytes, no NUL. A file comes with a descriptor of what it holds.
struct layer_entry {
    uint32_t flags;         // GONE: a file of that name is there no more; OPAQUE: nothing beneath the folder is;
                            // END: the layer is whole, and this is no file
    uint32_t mode;          // as inode(7): of a file, a folder, a link or a fifo
    uint32_t links;         // names of the file
    uint32_t path, target;  // how long they are: at most LAYER_TEXT_MOST together
    uint32_t unused;
    uint64_t device, inode; // by which the names of one file are known
    uint64_t size;
    int64_t modified;       // seconds
};
