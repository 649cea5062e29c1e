#!/bin/sh
# Test clients that npm has, for the tests:  tools/npm.sh FOLDER PACKAGE@VERSION...   Their install scripts are not run;
# a slow registry is given five minutes.
set -eu
folder=$1
shift
[ "$(cat "$folder/.complete" 2> /dev/null)" != "$*" ] || exit 0
command -v npm > /dev/null || "$(dirname "$0")/deps.sh" npm
mkdir -p "$folder"
cd "$folder"
timeout 300 npm install --silent --no-audit --no-fund --ignore-scripts --prefix . "$@" >&2
chmod u+x node_modules/@microsoft/sarif-multitool-linux/Sarif.Multitool 2> /dev/null || true
echo "$*" > .complete
