#!/bin/sh
# Installs Debian packages that are missing:  tools/deps.sh PACKAGE...   As root, or through sudo.
set -eu
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
    command -v sudo > /dev/null || { echo "as root: apt-get install --no-install-recommends$missing" >&2; exit 1; }
fi
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086
$sudo apt-get update -qq && $sudo apt-get install -y -qq --no-install-recommends $missing >&2
