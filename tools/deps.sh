#!/bin/sh
# Installs Debian packages that are missing:  tools/deps.sh [--optional] PACKAGE...   As root, or through sudo. Of
# optional ones, those that can be had.
set -eu
optional=
[ "${1:-}" != --optional ] || { optional=yes; shift; }
missing=
for package in "$@"; do
    case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) in
    installed) ;;
    *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0
echo "installing$missing" >&2
sudo=
if [ "$(id -u)" != 0 ]; then
    sudo=sudo
    command -v sudo > /dev/null || {
        echo "as root: apt-get install --no-install-recommends$missing" >&2
        [ -n "$optional" ]
        exit
    }
fi
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086
$sudo apt-get update -qq && $sudo apt-get install -y -qq --no-install-recommends $missing >&2 && exit 0
[ -n "$optional" ] || exit 1
for package in $missing; do
    $sudo apt-get install -y -qq --no-install-recommends "$package" > /dev/null 2>&1 ||
        echo "without $package: what needs it is skipped" >&2
done
