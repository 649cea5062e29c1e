#!/bin/sh
# `make test-vm [SUITE=bookworm]`: the live tests once more, in a virtual machine with a kernel of that Debian suite and
# cgroup v2 with every controller. No KVM: QEMU emulates. Everything comes from Debian through apt, and nothing of it is
# installed: the guest's root is made by debootstrap, the kernel is unpacked. Both are kept in BUILD/vm. As root.
#
#   tests/vm/run.sh BUILD SUITE [TEST...]
set -eu
build=$1 suite=$2
shift 2
cd "$(dirname "$0")/../.."
root=$(pwd)
[ "$#" -gt 0 ] || set -- \
    tests/live/run.t tests/live/files.t tests/live/kernel.t tests/live/denials.t tests/live/limits.t \
    tests/live/cache.t tests/live/net.t tests/live/hosts.t tests/live/processes.t tests/live/callers.t \
    tests/live/cores.t tests/live/leftovers.t tests/live/live.t tests/live/secrets.t tests/live/placeholders.t \
    tests/live/machine.t tests/live/overlay.t tests/live/layer.t tests/live/layers.t tests/live/image.t \
    tests/live/hidden.t tests/live/helpers.t \
    tests/attacks/attacks.t \
    tests/net/broker.t tests/net/names.t tests/net/unix.t tests/net/guard.t tests/net/proxy.t \
    tests/vm/apparmor.t tests/vm/cgroups.t tests/vm/swap.t tests/vm/audit.t tests/vm/manager.t
vm=$build/vm
mkdir -p "$vm"
exec 9> "$vm/lock" && flock 9 # one at a time
mirror=$(apt-get indextargets --format '$(REPO_URI) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian' |
    awk '$2 == "main" && !/security/ { print $1; exit }')
fail() { echo "$*" >&2; exit 1; }
[ -n "$mirror" ] || fail "make test-vm needs a Debian mirror among apt's sources (after apt-get update)"

# The guest's root: what the tests need, no kernel.
packages=perl,python3-minimal,libpython3-stdlib,libz3-4,iproute2,apparmor,systemd,dbus,dbus-user-session
if [ "$(cat "$vm/root/.complete" 2>/dev/null)" != $packages ]; then
    echo "making the guest's root" >&2
    rm -rf "$vm/root"
    debootstrap --variant=minbase --include=$packages bookworm "$vm/root" "$mirror" > "$vm/debootstrap.log" 2>&1 ||
        fail "$(tail "$vm/debootstrap.log")"
    rm -rf "$vm/root/var/cache/apt/archives" "$vm/root/var/lib/apt/lists"
    chroot "$vm/root" useradd --system --no-create-home --shell /bin/sh sbx-test
    echo $packages > "$vm/root/.complete"
fi

# The kernel, from a private apt configuration that knows that suite only.
kernel=$vm/kernel-$suite
if [ ! -e "$kernel/.complete" ]; then
    echo "fetching the kernel of $suite" >&2
    rm -rf "$kernel" && mkdir -p "$kernel/apt/lists/partial" "$kernel/apt/cache/archives/partial"
    keys=/usr/share/keyrings/debian-archive-keyring.gpg
    echo "deb [signed-by=$keys] $mirror $suite main" > "$kernel/apt/sources.list"
    cat > "$kernel/apt/conf" <<X
Dir::Etc::SourceList "$kernel/apt/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::State::Lists "$kernel/apt/lists";
Dir::Cache "$kernel/apt/cache";
APT::Sandbox::User "root";
X
    export APT_CONFIG="$kernel/apt/conf"
    depends() { # newer suites split the image
        apt-cache depends "$1" | awk '/Depends: linux-(image|base|binary|modules)-[0-9]/ { print $2 }'
    }
    apt-get -qq update
    image=$(depends linux-image-cloud-amd64 | head -1)
    # shellcheck disable=SC2046
    (cd "$kernel" && apt-get -qq download "$image" $(depends "$image"))
    unset APT_CONFIG
    for package in "$kernel"/*.deb; do dpkg-deb -x "$package" "$kernel"; done
    rm -rf "$kernel"/*.deb "$kernel/apt"
    touch "$kernel/.complete"
fi
modules=$kernel/lib/modules
[ -d "$modules" ] || modules=$kernel/usr/lib/modules
version=$(ls "$modules")
image=$(ls "$kernel"/boot/vmlinuz-* "$modules/$version/vmlinuz" 2>/dev/null | head -1)

# An initial ramdisk that finds the disk.
init=$vm/init-$suite
rm -rf "$init" && mkdir -p "$init/bin" "$init/mods" "$init/proc" "$init/sys" "$init/dev" "$init/new" "$init/base/lib"
cp /bin/busybox "$init/bin/busybox"
cp -r "$modules" "$init/base/lib/modules"
depmod -b "$init/base" "$version"
number=10
for module in virtio_pci virtio_blk ext4 overlay; do
    modprobe -S "$version" -d "$init/base" --show-depends "$module"
done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r file; do
    module=$init/mods/$number-$(basename "$file")
    cp "$file" "$module"
    case $file in
    *.xz) xz -d "$module" ;;
    *.zst) zstd -q -d --rm "$module" ;;
    esac
    number=$((number + 1))
done
rm -rf "$init/base"
cat > "$init/init" <<'X'
#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc; $b mount -t devtmpfs dev /dev; $b mount -t sysfs sys /sys
for m in /mods/*; do $b insmod $m; done
$b mount -t ext4 /dev/vda /new || exec $b poweroff -f
$b mount --move /dev /new/dev; $b umount /proc /sys
exec $b switch_root /new /vm-init
X
chmod +x "$init/init"
(cd "$init" && find . | cpio -o -H newc --quiet | gzip -1) > "$vm/init-$suite.gz"

# The disk: the root, the programs, the tests.
guest=$vm/root/srv/sbx
rm -rf "$guest"
for folder in live attacks net faults; do mkdir -p "$guest/build/tests/$folder"; done
cp -r "$root/tests" "$root/lang" "$root/examples" "$root/stdlib-policies" "$root/enforcer" "$guest/"
cp "$build/sbxc" "$build/sbxrun" "$build/sbximage" "$build/sbxnames" "$guest/build/"
cp "$build/tests/live/probe" "$build/tests/live/under" "$build/tests/live/stranger" "$guest/build/tests/live/"
cp "$build/tests/attacks/attack" "$guest/build/tests/attacks/"
cp "$build/tests/net/guard" "$build/tests/net/race" "$guest/build/tests/net/"
cp "$build/tests/faults/inject" "$guest/build/tests/faults/"
cat > "$vm/root/vm-init" <<X
#!/bin/sh
export TMPDIR=/var/tmp PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t securityfs sec /sys/kernel/security
ip link set lo up
ln -s /proc/self/fd /dev/fd; for n in 0:stdin 1:stdout 2:stderr; do ln -s fd/\${n%:*} /dev/\${n#*:}; done
mkdir -p /dev/pts /dev/shm; mount -t devpts devpts /dev/pts; mount -t tmpfs shm /dev/shm
mount -t cgroup2 none /sys/fs/cgroup && echo "+memory +cpu +pids +io" > /sys/fs/cgroup/cgroup.subtree_control
[ -e /etc/hosts ] || echo "127.0.0.1 localhost" > /etc/hosts # for tests that put another in its place
dmesg -n 1 # the console is the tests'
echo "# kernel \$(uname -r), \$(cat /sys/kernel/security/lsm), cgroup v2: \$(cat /sys/fs/cgroup/cgroup.controllers)"
export SBX_SLOW=8 SBX_MATRIX=/var/tmp/matrix SBX_BUILD=/srv/sbx/build
cd /srv/sbx && { prove --timer $* 2>&1; echo \$? > /var/tmp/status; } | cat
status=\$(cat /var/tmp/status)
sed 's/^/MATRIX /' /var/tmp/matrix 2>/dev/null
echo "VM-STATUS \$status"
sync
mount -o remount,ro /
echo o > /proc/sysrq-trigger
sleep 10
X
chmod +x "$vm/root/vm-init"
rm -f "$vm/disk.img"
truncate -s 2G "$vm/disk.img"
mke2fs -q -t ext4 -d "$vm/root" "$vm/disk.img"
timeout "${VM_SECONDS:-1200}" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 2048 \
    -kernel "$image" -initrd "$vm/init-$suite.gz" -append 'console=ttyS0 panic=-1 quiet' \
    -drive "file=$vm/disk.img,if=virtio,format=raw" -nographic -no-reboot < /dev/null > "$vm/log-$suite" 2>&1 || true
rm -f "$vm/disk.img"
tr -d '\r' < "$vm/log-$suite" | grep -aE '^(\[[0-9:]+\] tests/|# |#  |tests/|All tests|Files=|Result|  Failed)' || true
mkdir -p "$build/matrix"
tr -d '\r' < "$vm/log-$suite" | sed -n 's/^MATRIX //p' > "$build/matrix/$suite.tsv"
grep -aq 'VM-STATUS 0' "$vm/log-$suite" || fail "not all held in the virtual machine ($suite): $vm/log-$suite"
