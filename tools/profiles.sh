#!/bin/sh
# The seccomp profiles that Docker and Podman ship, from Debian's packages, for the tests and the bench.
#   tools/profiles.sh FOLDER     The packages are fetched and unpacked there, and not installed.
set -eu
folder=$1
[ ! -e "$folder/.complete" ] || exit 0
rm -rf "$folder" && mkdir -p "$folder/deb"
cd "$folder/deb"
chmod 777 . 2>/dev/null || true # apt fetches as a user of its own
apt-get download -qq golang-github-containers-common golang-github-docker-docker-dev >&2
for package in *.deb; do dpkg-deb -x "$package" root; done
cp root/usr/share/containers/seccomp.json ../podman.json
cp root/usr/share/gocode/src/github.com/docker/docker/profiles/seccomp/default.json ../docker.json
cp root/usr/share/gocode/src/github.com/docker/docker/profiles/seccomp/fixtures/default-old-format.json \
    ../docker-old.json
cd .. && rm -rf deb && touch .complete
