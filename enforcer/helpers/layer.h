// What a run changed in its overlays, kept as a layer: a tar archive as the OCI image specification has it (layer.md:
// whiteouts, opaque whiteouts), written by sbximage, which is given what each file is and holds and has nothing else.
//
// The same changes give the same bytes: sorted by name, without owners, times to the second, no extended attributes.
// Paths are those of the view. What a layer can't say (a name that would be a whiteout, a device) makes it none;
// sockets are left out.
#pragma once

#include "enforcer/view/differs.h"

struct kept {
    char why[700];    // there is no layer; empty: there is
    uint64_t entries; // files, folders, links, and what is gone
    uint64_t sockets; // left out
};

// Writes it to a descriptor. On failure what was written is taken back where that can be.
void layer_keep(int out, const struct view *, const struct uppers *, struct kept *);
