#!/bin/sh
# Seccomp profiles that container engines ship, for the tests and the bench:  tools/profiles.sh FOLDER
# Of Debian's packages, which are fetched and unpacked there, and not installed; where there is Go, also of the modules
# that carry Docker's, at the versions in which it changed. What can't be had is left out, and said.
set -eu
folder=$1
[ ! -e "$folder/.complete" ] || exit 0
rm -rf "$folder" && mkdir -p "$folder/deb"
cd "$folder/deb"
chmod 777 . 2>/dev/null || true # apt fetches as a user of its own
apt-get download -qq golang-github-containers-common golang-github-docker-docker-dev >&2
for package in *.deb; do dpkg-deb -x "$package" root; done
cp root/usr/share/containers/seccomp.json ../podman.json
docker=root/usr/share/gocode/src/github.com/docker/docker/profiles/seccomp
cp $docker/default.json ../docker.json
cp $docker/fixtures/default-old-format.json ../docker-old.json
cd .. && rm -rf deb

# MODULE VERSION FILE NAME
module() {
    GOPATH=$PWD/go GOFLAGS=-modcacherw GOTOOLCHAIN=local go mod download "$1@$2" >&2 &&
        cp "go/pkg/mod/$1@$2/$3" "$4.json" || echo "without $1 $2" >&2
    rm -rf go
}
if command -v go >/dev/null; then
    for version in 0.1.0 0.2.3 0.2.4 0.3.0; do
        module github.com/moby/profiles/seccomp v$version default.json moby-profiles-$version
    done
    for version in 1.13.1 20.10.5 20.10.13 20.10.24 20.10.27 23.0.3 24.0.4 25.0.0 25.0.6 28.3.0; do
        module github.com/docker/docker "v$version$([ $version = 1.13.1 ] || echo +incompatible)" \
            profiles/seccomp/default.json docker-$version
    done
fi
touch .complete
