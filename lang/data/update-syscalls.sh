#!/bin/sh
# Makes lang/data/syscalls.tsv anew, on a machine that runs the kernel the edition is for.
#
#   mount -t tracefs none /mnt && sh lang/data/update-syscalls.sh /mnt > lang/data/syscalls.tsv
#
# Sources: the kernel's own tracing formats (argument names and C types), uapi headers for the numbers (linux-libc-dev,
# linux-libc-dev-arm64-cross), below them what those do not have: calls that are not traced, calls newer than the
# headers (one number for all architectures since 424), and the man pages' names where the kernel's differ.
set -eu
tracefs=${1:?tracefs mount point}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

awk '/^#define __NR_/ { sub("__NR_", "", $2); print $2 "\t" $3 }' \
    /usr/include/x86_64-linux-gnu/asm/unistd_64.h > "$work/x86_64"
echo '#include <asm/unistd.h>' | gcc -E -dM -nostdinc -I /usr/aarch64-linux-gnu/include -D__aarch64__ -U__x86_64__ - |
    awk '/^#define __NR/ { value[$2] = $3 }
        END { for (n in value) if (n ~ /^__NR_/ && n != "__NR_syscalls" && n != "__NR_arch_specific_syscall") {
              v = value[n]; print substr(n, 6) "\t" (v in value ? value[v] : v) } }' > "$work/aarch64"

for format in "$tracefs"/events/syscalls/sys_enter_*/format; do
    name=${format%/format}; name=${name##*/sys_enter_}
    awk -v name="$name" '
        function type(c) {
            if (c ~ /\*/ || c ~ /cap_user_/) return "ptr"
            if (c ~ /umode_t/) return "u16"
            if (c ~ /^(unsigned long|size_t|u64|__u64|aio_context_t)$/) return "u64"
            if (c ~ /^(long|off_t|loff_t)$/) return "s64"
            if (c ~ /^(unsigned int|unsigned|u32|__u32|uid_t|gid_t|qid_t)$/) return "u32"
            return "s32"
        }
        BEGIN { printf "%s", name }
        /^\tfield:/ && !/common_|__syscall_nr/ {
            sub(/^\tfield:/, ""); sub(/;.*/, "")
            arg = $0; sub(/.*[ *]/, "", arg); c = $0; sub(/ ?[A-Za-z_0-9]+$/, "", c)
            printf "\t%s:%s", arg, type(c)
        }
        END { printf "\n" }' "$format"
done | grep -v '^ur\{0,1\}[et].*probe' > "$work/traced"

cat > "$work/by-hand" <<'ROWS'
_sysctl	args:ptr
delete_module	name:ptr	flags:u32
epoll_ctl_old
epoll_wait_old
finit_module	fd:s32	param_values:ptr	flags:s32
fstat	fd:u32	statbuf:ptr
get_kernel_syms
get_thread_area	u_info:ptr
init_module	module_image:ptr	len:u64	param_values:ptr
kexec_file_load	kernel_fd:s32	initrd_fd:s32	cmdline_len:u64	cmdline:ptr	flags:u64
kexec_load	entry:u64	nr_segments:u64	segments:ptr	flags:u64
lookup_dcookie	cookie:u64	buffer:ptr	len:u64
lstat	pathname:ptr	statbuf:ptr
sendfile	out_fd:s32	in_fd:s32	offset:ptr	count:u64
set_thread_area	u_info:ptr
stat	pathname:ptr	statbuf:ptr
umount2	target:ptr	flags:s32
uname	buf:ptr
uselib	library:ptr
clone	flags:u32	stack:u64	parent_tid:ptr	child_tid:ptr	tls:u64
mmap	addr:u64	length:u64	prot:u64	flags:u64	fd:u64	offset:u64
munmap	addr:u64	length:u64
mprotect	addr:u64	len:u64	prot:u64
madvise	addr:u64	length:u64	advice:s32
ioctl	fd:u32	request:u32	argp:u64
mount	source:ptr	target:ptr	filesystemtype:ptr	mountflags:u64	data:ptr
unshare	flags:u64
setns	fd:s32	nstype:s32
personality	persona:u32
fcntl	fd:u32	cmd:u32	arg:u64
prctl	option:s32	arg2:u64	arg3:u64	arg4:u64	arg5:u64
arch_prctl	option:s32	addr:u64
access	pathname:ptr	mode:s32
faccessat	dirfd:s32	pathname:ptr	mode:s32
faccessat2	dirfd:s32	pathname:ptr	mode:s32	flags:s32
mknod	pathname:ptr	mode:u16	dev:u32
mknodat	dirfd:s32	pathname:ptr	mode:u16	dev:u32
chmod	pathname:ptr	mode:u16
fchmodat	dirfd:s32	pathname:ptr	mode:u16
fchmodat2	dirfd:s32	pathname:ptr	mode:u16	flags:u32
mkdir	pathname:ptr	mode:u16
mkdirat	dirfd:s32	pathname:ptr	mode:u16
creat	pathname:ptr	mode:u16
open	pathname:ptr	flags:s32	mode:u16
openat	dirfd:s32	pathname:ptr	flags:s32	mode:u16
openat2	dirfd:s32	pathname:ptr	how:ptr	size:u64
sendto	sockfd:s32	buf:ptr	len:u64	flags:u32	dest_addr:ptr	addrlen:s32
recvfrom	sockfd:s32	buf:ptr	len:u64	flags:u32	src_addr:ptr	addrlen:ptr
sendmsg	sockfd:s32	msg:ptr	flags:u32
recvmsg	sockfd:s32	msg:ptr	flags:u32
bind	sockfd:s32	addr:ptr	addrlen:s32
connect	sockfd:s32	addr:ptr	addrlen:s32
listen	sockfd:s32	backlog:s32
accept	sockfd:s32	addr:ptr	addrlen:ptr
accept4	sockfd:s32	addr:ptr	addrlen:ptr	flags:s32
setsockopt	sockfd:s32	level:s32	optname:s32	optval:ptr	optlen:s32
getsockopt	sockfd:s32	level:s32	optname:s32	optval:ptr	optlen:ptr
socketpair	family:s32	type:s32	protocol:s32	sv:ptr
seccomp	operation:u32	flags:u32	args:ptr
bpf	cmd:s32	attr:ptr	size:u32
futex	uaddr:ptr	futex_op:s32	val:u32	timeout:ptr	uaddr2:ptr	val3:u32
rt_sigreturn
map_shadow_stack	addr:u64	size:u64	flags:u32
fork
vfork
ROWS
# Newer than the headers; include/uapi/asm-generic/unistd.h of Linux 6.18. uretprobe and uprobe are x86_64's own.
cat > "$work/newer" <<'ROWS'
cachestat	451
fchmodat2	452
map_shadow_stack	453
futex_wake	454
futex_wait	455
futex_requeue	456
statmount	457
listmount	458
lsm_get_self_attr	459
lsm_set_self_attr	460
lsm_list_modules	461
mseal	462
setxattrat	463
getxattrat	464
listxattrat	465
removexattrat	466
open_tree_attr	467
file_getattr	468
file_setattr	469
ROWS
printf 'uretprobe\t335\nuprobe\t336\n' >> "$work/x86_64"
cat "$work/newer" >> "$work/x86_64"; cat "$work/newer" >> "$work/aarch64"

cat <<'HEAD'
# The system calls of Linux 6.18, edition 1. Made by update-syscalls.sh beside this file, which names its sources.
# name	x86_64	aarch64	argument:type…    ("-": not there)
# types: width and sign as the kernel compares them; ptr is a pointer.
# mask: bits, compared by `&`, == and !=; enum: names.
HEAD
awk -F'\t' '
    FILENAME ~ /x86_64$/  { x[$1] = $2; all[$1]; next }
    FILENAME ~ /aarch64$/ { a[$1] = $2; all[$1]; next }
    { name = $1; $1 = ""; sub(/^ /, ""); gsub(/ /, "\t"); args[name] = $0 }
    END { for (n in all)
              printf "%s\t%s\t%s%s\n", n, (n in x ? x[n] : "-"), (n in a ? a[n] : "-"),
                     (args[n] != "" ? "\t" args[n] : "") }' \
    "$work/x86_64" "$work/aarch64" "$work/traced" "$work/by-hand" |
    sed -E -e 's/\tdfd:/\tdirfd:/' -e 's/\tfilename:/\tpathname:/' -e 's/\tclone_flags:/\tflags:/' \
        -e 's/\tufd:/\tfd:/' \
        -e 's/\t([a-z_]*flags?|mode|prot|mflags|shmflg|msgflg|semflg|oflag|nstype):[su](16|32|64)/\t\1:mask\2/g' \
        -e 's/\t(option|request|cmd|family|level|optname|whence|op|operation|advice):[su](32|64)/\t\1:enum\2/g' \
        -e 's/\t(behavior|resource|which_clock|clockid|how|which|policy|idtype):[su](32|64)/\t\1:enum\2/g' |
    LC_ALL=C sort
