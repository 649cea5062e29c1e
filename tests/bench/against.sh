#!/bin/sh
# `make bench-against COMMIT=...`: whether a run starts as fast, and policies are checked and their filters proved in as
# little processor time, as at an older commit, which is built beside. Both sides run in turn. Runs: as an ordinary
# user, with their plans in a cache; ratios of medians, and of the least seen. Checks: of policies that use a module of
# the library and no more, and of the modules and examples that both have, each side its own; ratios of medians.
set -eu
build=$1 commit=$2
cd "$(dirname "$0")/../.."
rounds=${ROUNDS:-600} proofs=${PROOFS:-11}
old=$build/against/$(git rev-parse --short "$commit^{commit}")
if [ ! -x "$old/build/sbxrun" ]; then
    mkdir -p "$old"
    git archive "$commit" | tar -x -C "$old"
    make -C "$old" -j"$(nproc)" all > "$old.log" 2>&1 || { tail "$old.log" >&2; exit 1; }
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
if [ "$(id -u)" = 0 ]; then
    id sbx-test > /dev/null 2>&1 || useradd --system --no-create-home --shell /bin/sh sbx-test
    as() { runuser -u sbx-test -- "$@"; }
else
    as() { "$@"; }
fi
cp "$build/tests/bench/time" "$work/"
mkdir "$work/now" "$work/old"
mkdir -m 700 "$work/cache" && export XDG_CACHE_HOME="$work/cache" # sbxrun keeps nothing where others may write
[ "$(id -u)" != 0 ] || chown sbx-test "$work/cache"
cp "$build/sbxrun" "$work/now/"
cp "$old/build/sbxrun" "$work/old/"

# What a run needs and no more; the same with all that std.base shows today; an interpreter with its library.
cat > "$work/walls.sbx" <<'P'
sbx 1;
import std.base;
policy walls {
    use std.base.inside;
    fs {
        allow read, exec "/usr";
        allow read, exec "/bin" if exists;
        allow read, exec "/lib" if exists;
        allow read, exec "/lib64" if exists;
        allow read "/etc/ld.so.cache" if exists;
        allow read, write "/tmp" from tmpfs size 16MiB;
    }
}
P
printf 'sbx 1;\nimport std.base;\npolicy base { use std.base; }\n' > "$work/base.sbx"
printf 'sbx 1;\nimport std.python;\npolicy python { use std.python; }\n' > "$work/python.sbx"
{
    for policy in walls base python; do
        command=/usr/bin/true
        [ "$policy" = python ] && command='/usr/bin/python3 -c pass'
        for side in now old; do
            printf '%s\t%s\n' "$policy-$side" "$work/$side/sbxrun $work/$policy.sbx -- $command"
        done
    done
} > "$work/commands"
as "$work/time" "$rounds" < "$work/commands" > "$work/times"
awk -F'\t' -v commit="$commit" -v rounds="$rounds" '
    { split($1, name, "-"); median[$1] = $2; least[$1] = $3; seen[name[1]] = 1 }
    END { printf "Start-up, now / at %s; medians of %d, and the least seen\n", commit, rounds
          for (policy in seen)
              printf "  %-8s %.3f  %.3f   (%d and %d microseconds)\n", policy, median[policy "-now"] / \
                  median[policy "-old"], least[policy "-now"] / least[policy "-old"], median[policy "-now"],
                  median[policy "-old"] }' "$work/times"

# With proofs: a policy that uses a module and no more; whole modules, which are several policies; examples.
{
    for file in stdlib-policies/*.sbx examples/*.sbx; do
        [ -e "$old/$file" ] || continue
        name=$(basename "$file" .sbx)
        if [ "${file%/*}" = stdlib-policies ] && grep -q "^policy $name" "$file" "$old/$file"; then
            printf 'sbx 1;\nimport std.%s;\npolicy p { use std.%s; }\n' "$name" "$name" > "$work/use-$name.sbx"
            printf 'use std.%s;%s\t%s --check %s\n' "$name" now "$build/sbxc" "$work/use-$name.sbx" \
                "$name" old "$old/build/sbxc" "$work/use-$name.sbx"
        fi
        printf '%s;%s\t%s --check %s\n' "$file" now "$build/sbxc" "$PWD/$file" \
            "$file" old "$old/build/sbxc" "$old/$file"
    done
} > "$work/commands"
"$build/tests/bench/time" "$proofs" < "$work/commands" > "$work/times"
awk -F'\t' -v commit="$commit" -v rounds="$proofs" '
    function line(text, now, old) { printf "  %-28s %.3f   (%.1f and %.1f milliseconds)\n", text, now / old, now, old }
    BEGIN { printf "sbxc --check, now / at %s: processor time, medians of %d\n", commit, rounds }
    { split($1, name, ";"); kind = name[1]; sub("[ /].*", "", kind) }
    { used[name[2]] = $4 / 1000; sum[kind, name[2]] += $4 / 1000 }
    name[2] == "old" { line(name[1], used["now"], used["old"]) }
    END { line("all of these uses", sum["use", "now"], sum["use", "old"])
          line("all of these modules", sum["stdlib-policies", "now"], sum["stdlib-policies", "old"])
          line("all of these examples", sum["examples", "now"], sum["examples", "old"]) }' "$work/times"
