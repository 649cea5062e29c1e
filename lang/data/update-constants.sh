#!/bin/sh
# Makes lang/data/constants.tsv anew: the names a policy may use for numbers, with their values per architecture.
#
#   sh lang/data/update-constants.sh > lang/data/constants.tsv
#
# Sources: uapi headers of x86_64 and aarch64 (linux-libc-dev, linux-libc-dev-arm64-cross), glibc's for socket families,
# which the uapi headers do not have. The compiler evaluates each macro; nothing is run, so the cross headers need no
# cross compiler (both architectures are LP64 and little-endian).
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

headers='asm/fcntl.h asm/termbits.h asm/mman.h linux/mman.h asm/ioctls.h linux/fcntl.h linux/stat.h linux/sched.h
    linux/prctl.h linux/futex.h linux/keyctl.h asm/signal.h linux/mount.h linux/fs.h linux/resource.h asm/socket.h
    linux/random.h linux/memfd.h linux/seccomp.h asm/errno.h linux/capability.h linux/time.h linux/wait.h
    linux/sockios.h asm/sockios.h linux/ptrace.h linux/eventpoll.h linux/ipc.h linux/membarrier.h
    linux/close_range.h linux/if_tun.h linux/tiocl.h linux/kcmp.h linux/userfaultfd.h linux/quota.h linux/reboot.h
    linux/in.h linux/tcp.h linux/in6.h linux/vt.h linux/kd.h linux/netlink.h'
wanted='^(O_|AT_|S_I|PROT_|MAP_|MADV_|MREMAP_|MCL_|MS_|MLOCK_|CLONE_|PR_|ARCH_|F_|LOCK_|SEEK_|TIOC|TC[A-Z]|FIO'
wanted="$wanted"'|FIONREAD|SIOC|FUTEX_|KEYCTL_|SIG[A-Z]|SA_|SIG_|MNT_|UMOUNT_|RLIMIT_|SOL_|SO_|GRND_|MFD_|SECCOMP_'
wanted="$wanted"'|E[A-Z0-9]+$|CAP_[A-Z_]+$|CLOCK_|TIMER_|W[A-Z]+$|P_|PTRACE_|EPOLL|IPC_|SHM_|RENAME_|FALLOC_|FS_IOC'
wanted="$wanted"'|FICLONE|BLK|RWF_|CLOSE_RANGE_|MEMBARRIER_|TIOCL_|XATTR_|PRIO_|SCHED_|KCMP_|UFFD|TUN|VT_|KD|TCP_'
wanted="$wanted"'|IPV6_|IP_|NETLINK_)'
unwanted='^(CAP_LAST_CAP|F_LINUX_SPECIFIC_BASE|E2BIG_|EXT[0-9]|CLONE_ARGS|SIG_DFL|SIG_IGN|SIG_ERR|SIGRTM|.*_H$'
unwanted="$unwanted"'|SIGEV|.*_SIZE_VER[0-9])'

names() {
    grep -E '^#define [A-Z][A-Z0-9_]* ' | awk '{ print $2 }' | grep -E "$wanted" | grep -vE "$unwanted" |
        LC_ALL=C sort -u
}

values() { awk '/^value_of_.*:$/ { name = substr($1, 10, length($1) - 10) }
    /^\t\.(quad|xword)\t/ { print name "\t" $2 } /^\t\.zero\t8$/ { print name "\t0" }'; }

evaluate() { # includes, names, compiler flags: prints "name value" for each that is a constant
    includes=$1; list=$2; shift 2
    : > "$work/probe.h"
    { printf '%s\n' "$includes"
      while read -r name; do
          echo "#ifdef $name"
          echo "long value_of_$name = $name;"
          echo '#endif'
      done < "$list"; } > "$work/probe.c"
    while ! gcc -O1 -w -S -o "$work/probe.s" "$@" "$work/probe.c" 2> "$work/errors"; do
        bad=$(awk -F: '/probe\.c:[0-9]+:[0-9]+: (error|note: in expansion)/ { print $2 }' "$work/errors" | sort -un)
        [ -n "$bad" ] || { cat "$work/errors" >&2; exit 1; }
        for line in $bad; do sed -i "${line}s/.*//" "$work/probe.c"; done
    done
    values < "$work/probe.s" | LC_ALL=C sort -u
}

uapi=$(for h in $headers; do echo "#include <$h>"; done)
for arch in x86_64 aarch64; do
    case $arch in
    x86_64) flags="-nostdinc -I /usr/include -I /usr/include/x86_64-linux-gnu" ;;
    aarch64) flags="-nostdinc -I /usr/aarch64-linux-gnu/include -D__aarch64__ -U__x86_64__" ;;
    esac
    extra=
    [ $arch = x86_64 ] && extra='
#include <asm/prctl.h>'
    # shellcheck disable=SC2086
    printf '%s%s\n' "$uapi" "$extra" | gcc -E -dM $flags - | names > "$work/names.$arch"
    # shellcheck disable=SC2086
    evaluate "$uapi$extra" "$work/names.$arch" $flags > "$work/$arch"
done

libc='#define _GNU_SOURCE
#include <sys/socket.h>
#include <netinet/in.h>'
cat > "$work/names.libc" <<'NAMES'
SOCK_STREAM
SOCK_DGRAM
SOCK_RAW
SOCK_RDM
SOCK_SEQPACKET
SOCK_DCCP
SOCK_PACKET
SOCK_CLOEXEC
SOCK_NONBLOCK
SHUT_RD
SHUT_WR
SHUT_RDWR
IPPROTO_ICMP
IPPROTO_ICMPV6
IPPROTO_IP
IPPROTO_IPV6
IPPROTO_MPTCP
IPPROTO_RAW
IPPROTO_SCTP
IPPROTO_TCP
IPPROTO_UDP
IPPROTO_UDPLITE
READ_IMPLIES_EXEC
ADDR_NO_RANDOMIZE
ADDR_COMPAT_LAYOUT
MMAP_PAGE_ZERO
SHORT_INODE
STICKY_TIMEOUTS
UNAME26
WHOLE_SECONDS
PER_LINUX
PER_LINUX32
PER_BSD
PER_SVR4
NAMES
printf '%s\n' "$libc" | gcc -E -dM - | awk '/^#define (AF|MSG)_[A-Z0-9_]+ / { print $2 }' >> "$work/names.libc"
printf 'MSG_%s\n' PEEK DONTWAIT NOSIGNAL OOB TRUNC WAITALL FASTOPEN MORE ZEROCOPY CMSG_CLOEXEC CTRUNC DONTROUTE EOR \
    ERRQUEUE CONFIRM WAITFORONE >> "$work/names.libc"
LC_ALL=C sort -u -o "$work/names.libc" "$work/names.libc"
evaluate_enum() { # the same without #ifdef: enumerators are no macros
    { printf '%s\n#include <sys/personality.h>\n' "$libc"
      while read -r name; do echo "long value_of_$name = $name;"; done < "$work/names.libc"; } > "$work/enum.c"
    gcc -O1 -w -S -o "$work/enum.s" "$work/enum.c"
    values < "$work/enum.s"
}
evaluate_enum > "$work/libc"

# Newer than the headers: include/uapi/linux/memfd.h and prctl.h of Linux 6.18.
cat >> "$work/libc" <<'NEWER'
MFD_NOEXEC_SEAL	8
MFD_EXEC	16
PR_SET_MDWE	65
PR_GET_MDWE	66
NEWER

cat <<'HEAD'
# Names for numbers, edition 1. Made by update-constants.sh beside this file, which names its sources.
# name	x86_64	aarch64	("-": not there)
HEAD
awk -F'\t' '
    FILENAME ~ /x86_64$/  { x[$1] = $2; all[$1]; next }
    FILENAME ~ /aarch64$/ { a[$1] = $2; all[$1]; next }
    { x[$1] = a[$1] = $2; all[$1] }
    END { for (n in all) print n "\t" (n in x ? x[n] : "-") "\t" (n in a ? a[n] : "-") }' \
    "$work/x86_64" "$work/aarch64" "$work/libc" | LC_ALL=C sort
