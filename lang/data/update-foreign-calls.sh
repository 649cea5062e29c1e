#!/bin/sh
# Makes lang/data/foreign-calls.tsv anew: the names of system calls that exist only on architectures this edition does
# not compile for. Profiles for containers name them, and an imported policy says that they are left out. Source:
# libseccomp's tables.
#
#   sh lang/data/update-foreign-calls.sh > lang/data/foreign-calls.tsv
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat > "$work/names.c" <<'C'
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
    static const unsigned arches[] = {
        SCMP_ARCH_X86,  SCMP_ARCH_X32,   SCMP_ARCH_ARM,     SCMP_ARCH_MIPS,   SCMP_ARCH_MIPS64, SCMP_ARCH_MIPS64N32,
        SCMP_ARCH_PPC,  SCMP_ARCH_PPC64, SCMP_ARCH_S390,    SCMP_ARCH_S390X,  SCMP_ARCH_RISCV64,
        SCMP_ARCH_PARISC, SCMP_ARCH_X86_64, SCMP_ARCH_AARCH64,
    };
    for (unsigned a = 0; a < sizeof arches / sizeof *arches; a++)
        for (int number = 0; number < 0xF0010; number += number == 8000 ? 0xF0000 - 8000 : 1) {
            char *name = seccomp_syscall_resolve_num_arch(arches[a], number);
            if (name)
                puts(name);
            free(name);
        }
    return 0;
}
C
gcc -o "$work/names" "$work/names.c" -lseccomp
cut -f1 lang/data/syscalls.tsv > "$work/own"
echo "# System calls of other architectures only; made by update-foreign-calls.sh."
"$work/names" | LC_ALL=C sort -u | grep -vxF -f "$work/own"
