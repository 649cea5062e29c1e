// The pseudo file systems of a view, each made fresh: tmpfs, /proc for the sandbox's own processes, a minimal /dev.
//
// All return a mount that is not attached (the caller owns the descriptor), or -1 and the failure.
#pragma once

#include <stdbool.h>

#include "enforcer/host/failure.h"

int tmpfs_mount(uint64_t size, const char *mode, uint64_t attributes, uint32_t rule, struct failure *);
// A copy-on-write view of folders that lie one over the other: `lowers` are their paths, the topmost first, with colons
// between; relative ones, since there is room for 255 bytes. What is written goes to `upper`, with `work` beside it;
// -1: nothing is, and there are two lowers or more. All are folders in mounts of this namespace.
// Documentation/filesystems/overlayfs.rst.
int overlay_mount(const char *lowers, int upper, int work, uint64_t attributes, uint32_t rule, struct failure *);

// A /proc of the pid namespace's processes; `whole`: with all else that the kernel shows in one, until proc_narrow
// takes that away. What something is mounted on by then stays, and no other name is found any more. 0, or -1 and the
// failure; 1: this kernel narrows none, as 7.2 does not.
int proc_mount(bool whole, uint64_t attributes, uint32_t rule, struct failure *);
int proc_narrow(int tree, uint32_t rule, struct failure *);

int terminals_mount(uint32_t rule, struct failure *); // devpts: terminals of its own

// Fills a tmpfs that is attached at `folder` (O_PATH) with devices of the host, each verified by its number, terminals
// of its own and shared memory, which is read-only unless `shared_memory`.
int dev_fill(int folder, bool shared_memory, uint32_t rule, struct failure *);
