#!/bin/sh
# `make demo`: a real program under a policy, what it was refused, and which line of the policy decides.
set -eu
cd "$(dirname "$0")/.."
sbxc=${1:-build/sbxc} sbxrun=${2:-build/sbxrun}
say() { printf '\n\033[1m$ %s\033[0m\n' "$*"; }

say sbxc --check examples/python.sbx
"$sbxc" --check examples/python.sbx && echo "no errors; every expectation in it holds"
say sbxrun examples/python.sbx
"$sbxrun" examples/python.sbx
for question in 'read "/workspace/prices.key"' 'write "/usr/bin/helper"' 'exec "/tmp/tool"' \
    'connect tcp 192.0.2.1:443' 'syscall unshare'; do
    say "sbxc --why '$question' examples/python.sbx"
    "$sbxc" --why "$question" examples/python.sbx || [ $? -ge 4 ] # denied, or partly
done
say sbxrun examples/python.sbx -- python3 -m unittest -q
"$sbxrun" examples/python.sbx -- python3 -m unittest -q 2>&1
